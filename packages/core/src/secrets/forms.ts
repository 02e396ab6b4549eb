/** How a text may be written when it turns up somewhere else. */
export interface Form {
  readonly text: string
  /** May be broken into lines anywhere, as `base64` and PEM do. */
  readonly wraps: boolean
}

/** Every form of `text` that is masked, without repeats. Forms shorter than 4 characters are left out. */
export function formsOf(text: string): Form[] {
  const plain = [
    text,
    ...urlForms(text),
    ...jsonForms(text),
    ...shellForms(text),
    ...markupForms(text),
    ...hexForms(text),
  ]
  const once = base64Forms(Buffer.from(text))
  // A Kubernetes Secret that holds a Docker configuration: base64 in base64.
  const twice = base64Cores(Buffer.from(text)).flatMap((core) => base64Forms(Buffer.from(core)))
  const forms = new Map<string, Form>()
  for (const form of [...plain.map((written) => ({ text: written, wraps: false })), ...once, ...twice])
    if (form.text.length >= 4 && !forms.has(form.text)) forms.set(form.text, form)
  return [...forms.values()]
}

/** What writers of URLs leave as it is: strict ones, PHP, JavaScript, Python's paths, Go's user names, path segments and paths. */
const unescaped = ['~', '', "~!'()*", '~/', '~$&+,;=', '~$&+:=@', '~$&+,/:;=@']

function urlForms(text: string): string[] {
  if (/\p{Cs}/u.test(text)) return [] // half a character has no URL form
  const forms = unescaped.map((left) => text.replace(/[^A-Za-z0-9._-]/gu, (c) => (left.includes(c) ? c : percent(c))))
  const plus = forms.slice(0, 2).map((form) => form.replaceAll('%20', '+'))
  const written = [...forms, ...plus, new URLSearchParams([['', text]]).toString().slice(1)]
  return [...written, ...written.map(lowerEscapes), encodeURI(text), passwordInUrl(text)]
}

function percent(character: string): string {
  return [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
}

function passwordInUrl(text: string): string {
  const url = new URL('https://host')
  url.password = text
  return url.password
}

function lowerEscapes(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())
}

/** As JavaScript, Go, Python, PHP, Java and .NET write it, each by its habit of escaping more than it has to; and JSON inside JSON. */
function jsonForms(text: string): string[] {
  const plain = quoteless(text)
  const slashed = plain.replaceAll('/', '\\/')
  const written = [plain, plain.replace(/[<>&\u2028\u2029]/g, unicodeEscape), slashed]
  written.push(...[plain, slashed].map((form) => form.replace(/[^ -~]/g, unicodeEscape)))
  written.push(...[plain.replace(/[^ -~]/g, upperUnicodeEscape), dotNet(text)])
  return [...written, ...written.map(quoteless)]
}

function quoteless(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

function unicodeEscape(character: string): string {
  return `\\u${hexOf(character, 4)}`
}

function upperUnicodeEscape(character: string): string {
  return `\\u${hexOf(character, 4).toUpperCase()}`
}

function dotNet(text: string): string {
  return text.replace(/[^ -~]|["'<>&+`\\]/g, (c) => {
    const short = quoteless(c)
    return c !== '"' && /^\\[^u]/.test(short) ? short : upperUnicodeEscape(c)
  })
}

function hexOf(character: string, digits: number): string {
  return character.charCodeAt(0).toString(16).padStart(digits, '0')
}

/** What stands between the quotes (`'`, `"`, `$'` and those of programs that print a string as their own source). */
function shellForms(text: string): string[] {
  return [
    text.replaceAll("'", "'\\''"),
    text.replaceAll("'", `'"'"'`),
    text.replace(/'+/g, `'"$&"'`), // dash
    text.replace(/[\\"$`]/g, '\\$&'),
    text.replace(/[\\"$`!]/g, '\\$&'),
    ...[bashMarks, /[^\w./:=@%^,+-]/gu, /[^\w./:=@%^,+\u0080-\uffff-]/g, /\W/g].map((marks) =>
      text.replace(marks, '\\$&'),
    ),
    ...[/[^ -~]/gu, /[^ \P{C}]|[^ \P{Z}]/gu].map((hidden) => controlled(text.replace(/[\\']/g, '\\$&'), hidden, octal)),
    ...[/\\/g, /[\\']/g, /[\\"]/g, /[\\`]/g].flatMap((marks) => sourceForms(text.replace(marks, '\\$&'))),
  ]
}

/** What `printf %q` puts a backslash before; a tilde only where a shell would take it for a home. */
const bashMarks = /[ \t!"$&'()*,;<>?[\\\]^`{|}]|(?<=[:=])~/g

const letterOf: Readonly<Record<string, string>> = {
  '\x07': 'a',
  '\b': 'b',
  '\t': 't',
  '\n': 'n',
  '\v': 'v',
  '\f': 'f',
  '\r': 'r',
}

/** Node, Python and Go write control characters in hexadecimal, in their own case, and not all of them with a letter. */
function sourceForms(quoted: string): string[] {
  const control = /\p{Cc}/gu
  const lower = (c: string) => `\\x${hexOf(c, 2)}`
  const upper = (c: string) => `\\x${hexOf(c, 2).toUpperCase()}`
  return [
    controlled(quoted, control, upper),
    controlled(quoted, control, lower),
    quoted.replace(control, (c) => ('\t\n\r'.includes(c) ? `\\${letterOf[c]}` : lower(c))),
  ]
}

function controlled(text: string, hidden: RegExp, otherwise: (character: string) => string): string {
  return text.replace(hidden, (c) => (letterOf[c] === undefined ? otherwise(c) : `\\${letterOf[c]}`))
}

function octal(character: string): string {
  if (character === '\x1b') return '\\E'
  return [...Buffer.from(character)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
}

function markupForms(text: string): string[] {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  const quoted = escaped.replaceAll('"', '&quot;')
  return [escaped, quoted, quoted.replaceAll("'", '&#39;'), quoted.replaceAll("'", '&apos;')]
}

function hexForms(text: string): string[] {
  const hex = Buffer.from(text).toString('hex')
  return [hex, hex.toUpperCase()]
}

/** On its own, and in the middle of a longer base64 text (a `user:password` pair, a file), in both alphabets. */
function base64Forms(bytes: Buffer): Form[] {
  const standard = [bytes.toString('base64'), bytes.toString('base64').replace(/=+$/, ''), ...base64Cores(bytes)]
  const both = standard.flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')])
  const escaped = standard.flatMap((text) => [encodeURIComponent(text), lowerEscapes(encodeURIComponent(text))])
  return [...both.map((text) => ({ text, wraps: true })), ...escaped.map((text) => ({ text, wraps: false }))]
}

/** For each of the three alignments, the characters that depend on these bytes alone. */
function base64Cores(bytes: Buffer): string[] {
  return [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    const first = Math.ceil((before * 8) / 6)
    const end = Math.floor(((before + bytes.length) * 8) / 6)
    return encoded.slice(first, end)
  })
}

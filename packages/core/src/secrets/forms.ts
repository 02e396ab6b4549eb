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
  const twice = text.length < 8 ? [] : base64Cores(Buffer.from(text)).flatMap((core) => base64Forms(Buffer.from(core)))
  const forms = new Map<string, Form>()
  for (const form of [...plain.map((written) => ({ text: written, wraps: false })), ...once, ...twice])
    if (form.text.length >= 4 && !forms.has(form.text)) forms.set(form.text, form)
  return [...forms.values()]
}

/** What writers of URLs leave as it is: JavaScript, Python's paths, Go's user names, path segments and paths. */
const unescaped = ['', "!'()*", '/', '$&+,;=', '$&+:=@', '$&+,/:;=@']

function urlForms(text: string): string[] {
  if (/\p{Cs}/u.test(text)) return [] // half a character has no URL form
  const forms = unescaped.map((left) => text.replace(/[^A-Za-z0-9._~-]/gu, (c) => (left.includes(c) ? c : percent(c))))
  const plus = forms.slice(0, 1).map((form) => form.replaceAll('%20', '+'))
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

/** As JavaScript writes it, as Go does (`<` as \u003c), as Python does (ASCII only), and JSON inside JSON. */
function jsonForms(text: string): string[] {
  const written = [quoteless(text), quoteless(text).replace(/[<>&\u2028\u2029]/g, unicodeEscape)]
  written.push(quoteless(text).replace(/[^ -~]/g, unicodeEscape), quoteless(text).replaceAll('/', '\\/'))
  return [...written, ...written.map(quoteless)]
}

function quoteless(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** What stands between the quotes (`'`, `"` and `$'`), or with a backslash before each special character as `printf %q` writes. */
function shellForms(text: string): string[] {
  return [
    text.replaceAll("'", "'\\''"),
    text.replaceAll("'", `'"'"'`),
    text.replace(/[\\"$`]/g, '\\$&'),
    text.replace(/[\\"$`!]/g, '\\$&'),
    text.replace(/[^A-Za-z0-9_./:=@%^,+-]/gu, '\\$&'),
    text.replace(/[^A-Za-z0-9_./:=@%^,+\u0080-\uffff-]/g, '\\$&'),
    dollarQuoted(text),
    dollarQuoted(text).replace(/[^ -~]/gu, octal),
  ]
}

function dollarQuoted(text: string): string {
  return text.replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')
}

function octal(character: string): string {
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
  return [...both.flatMap(wrapping), ...escaped.map((text) => ({ text, wraps: false }))]
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

/** A line may end after the first one, two or three characters, too early to be recognised: then the rest is. */
function wrapping(text: string): Form[] {
  if (text.length < 16) return [{ text, wraps: false }]
  return [0, 1, 2, 3].map((skipped) => ({ text: text.slice(skipped), wraps: true }))
}

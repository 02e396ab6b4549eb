import { execFileSync } from 'node:child_process'
import { inspect } from 'node:util'

/** A secret as some program writes it. Made without the redactor's own list of forms: this is what that list is measured by. */
export interface Writing {
  readonly encoding: string
  readonly text: string
  /**
   * How many characters may stay: those that do not depend on the secret, and at most one at each end of a base64 text that belongs to the
   * secret and to its neighbour (three where a line ends right behind them).
   */
  readonly left: number
}

const whole: Readonly<Record<string, (value: string) => string>> = {
  raw: (value) => value,
  base64,
  'base64 without padding': (value) => base64(value).replace(/=+$/, ''),
  base64url: (value) => Buffer.from(value).toString('base64url'),
  'base64url with padding': (value) => base64(value).replaceAll('+', '-').replaceAll('/', '_'),
  'URL component': encodeURIComponent,
  'URL component, strict': strict,
  'URL component, lower case': (value) => strict(value).replace(/%../g, (code) => code.toLowerCase()),
  'URL form': (value) => new URLSearchParams([['', value]]).toString().slice(1),
  'URL form by PHP': (value) => strict(value).replaceAll('%20', '+').replaceAll('~', '%7E'),
  'URL path': (value) => strict(value).replaceAll('%2F', '/'),
  'whole URL': encodeURI,
  'password in a URL': (value) => Object.assign(new URL('https://host'), { password: value }).password,
  'user in a URL': (value) => Object.assign(new URL('https://host'), { username: value }).username,
  'base64 in a URL': (value) => encodeURIComponent(base64(value)),
  JSON: json,
  'JSON in JSON': (value) => json(json(value)),
  'JSON by Go': (value) => json(value).replace(/[<>&\u2028\u2029]/g, (c) => unicode(c)),
  'JSON by Python': (value) => json(value).replace(/[^ -~]/g, (c) => unicode(c)),
  'JSON by PHP': (value) =>
    json(value)
      .replaceAll('/', '\\/')
      .replace(/[^ -~]/g, (c) => unicode(c)),
  'JSON by Java': (value) => json(value).replace(/[^ -~]/g, (c) => unicode(c, true)),
  'JSON by .NET': (value) =>
    json(value.replace(/["'<>&+`]/g, '\0$&'))
      .replace(/\\u0000(\\?["'<>&+`])/g, (_, c: string) => unicode(c.at(-1) ?? '', true))
      .replace(/[^ -~]/g, (c) => unicode(c, true)),
  'inspected by Node': (value) => inspect(value, { maxStringLength: null, breakLength: Infinity }).slice(1, -1),
  XML: (value) => value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
  'shell, single quotes': (value) => value.replaceAll("'", "'\\''"),
  'shell, other quotes': (value) => value.replaceAll("'", `'"'"'`),
  'shell, double quotes': (value) => value.replace(/[\\"$`]/g, '\\$&'),
  hex: (value) => Buffer.from(value).toString('hex'),
  'hex, upper case': (value) => Buffer.from(value).toString('hex').toUpperCase(),
}

/** The secret in the middle of bytes that are then encoded together. */
const surrounded: Readonly<Record<string, (value: Buffer) => string>> = {
  'Basic, first alignment': (value) => around('robot1:', value, '').toString('base64'),
  'Basic, second alignment': (value) => around('robot:', value, '').toString('base64'),
  'Basic, third alignment': (value) => around('ci-bot1:', value, '').toString('base64'),
  'Basic, URL-safe': (value) => around('me:', value, '').toString('base64url'),
  'a file': (value) => around('A=1\nB=', value, '\nC=3\n').toString('base64'),
  'a file, URL-safe': (value) => around('A=1\nBB=', value, '\nC=3\n').toString('base64url'),
  'docker configuration': (value) =>
    `{"auths":{"registry.example":{"auth":"${around('robot:', value, '').toString('base64')}"}}}`,
}
const twice: Readonly<Record<string, (value: Buffer) => string>> = Object.fromEntries(
  [0, 1, 2].map((indent) => [
    `docker configuration in base64, indent ${indent}`,
    (value: Buffer) => base64(' '.repeat(indent) + surrounded['docker configuration']?.(value)),
  ]),
)
const inLines: Readonly<Record<string, (value: Buffer) => string>> = {
  'a file, in lines of 76': (value) => folded(surrounded['a file']?.(value) ?? '', 76),
  'a file, in lines of 19': (value) => folded(surrounded['a file']?.(value) ?? '', 19),
}

/** Every writing of a value; those of its lines are `lineWritings`. */
export function writingsOf(value: string): Writing[] {
  const secret = value.trim()
  const bytes = Buffer.from(secret)
  return [
    ...Object.entries(whole).map(([encoding, write]) => ({ encoding, text: write(secret), left: 0 })),
    { encoding: 'base64 in lines of 20', text: folded(base64(secret), 20), left: 0 },
    ...inside(surrounded, bytes, 2),
    ...inside(inLines, bytes, 5),
    ...inside(twice, bytes, 6),
  ]
}

/** Each line of a secret of several lines, alone. One of fewer than four characters is no secret, nor is the armour of a key. */
export function lineWritings(value: string): Writing[] {
  const lines = value.split(/\r?\n/).map((line) => line.trim())
  if (lines.length < 2) return []
  return lines
    .filter((line) => line.length >= 4 && !line.startsWith('-----'))
    .flatMap((line, index) =>
      writingsOf(line).map((writing) => ({ ...writing, encoding: `line ${index + 1}, ${writing.encoding}` })),
    )
}

/**
 * As shells themselves write the values: `printf %q`, `declare`, `export`, `set` and the trace, in bash, and in sh with a UTF-8 and a C
 * locale. Empty for a shell that is not installed.
 */
export function shellWritings(values: readonly string[]): Writing[][] {
  const secrets = values.map((value) => value.trim())
  const runs = [
    { name: 'bash, printf %q', shell: 'bash', script: 'printf "%q" "$x"' },
    { name: 'bash, declare', shell: 'bash', script: 'declare -p x' },
    { name: 'bash, export', shell: 'bash', script: 'export x; export -p | sed -n "/declare -x x=/,\\$p"' },
    { name: 'bash, quoted', shell: 'bash', script: 'printf %s "${x@Q}"' },
    { name: 'bash, trace', shell: 'bash', script: '{ set -x; : "$x"; } 2>&1; { set +x; } 2>/dev/null' },
    { name: 'sh, export', shell: 'sh', script: 'export x; export -p | sed -n "/^export x=/,\\$p"' },
    { name: 'sh, trace', shell: 'sh', script: '{ set -x; : "$x"; } 2>&1; { set +x; } 2>/dev/null' },
  ]
  const all: Writing[][] = secrets.map(() => [])
  for (const { name, shell, script } of runs)
    for (const locale of ['C', 'C.UTF-8']) {
      const written = written0(shell, `for x; do ${script}; printf '\\0'; done`, secrets, locale)
      for (const [index, text] of written.entries())
        all[index]?.push({ encoding: `${name} (${locale})`, text: withoutCommand(text), left: 0 })
    }
  return all
}

/**
 * What is left of a writing after redaction, to be compared with its `left`: marks of the redactor, white space, and quotes around the value
 * tell nothing.
 */
export function residue(redacted: string): string {
  return redacted
    .replace(/\[redacted:[^\]]*\]/g, '')
    .replace(/\s/g, '')
    .replace(/^[$"'\\`]+|["'\\`]+$/g, '')
}

/** Whether what came out still says something of the secret. */
export function leaks({ left }: Writing, redacted: string): boolean {
  return !redacted.includes('[redacted:') || residue(redacted).length > left
}

function written0(shell: string, script: string, values: readonly string[], locale: string): string[] {
  try {
    const env = { PATH: process.env.PATH, LC_ALL: locale }
    const output = execFileSync(shell, ['-c', script, shell, ...values], { env, stdio: ['ignore', 'pipe', 'ignore'] })
    return output.toString('utf8').split('\0').slice(0, values.length)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** Leaves the value with its quotes. */
function withoutCommand(text: string): string {
  const traced = /^\++ : (.*?)\n(?:\++ .*)?$/s.exec(text)?.[1]
  return traced ?? text.replace(/^(?:declare -[-x]+ |export )x=/, '').replace(/\n$/, '')
}

/** How many characters stay the same whatever the secret is, found by trying two that have no bit in common. */
function inside(
  ways: Readonly<Record<string, (value: Buffer) => string>>,
  value: Buffer,
  cutThrough: number,
): Writing[] {
  return Object.entries(ways).map(([encoding, write]) => {
    const [one, other] = [write(Buffer.alloc(value.length, 0)), write(Buffer.alloc(value.length, 255))]
    const same = [...one].filter((c, index) => c === other[index] && !/\s/.test(c)).length
    return { encoding, text: write(value), left: same + cutThrough }
  })
}

function around(before: string, value: Buffer, after: string): Buffer {
  return Buffer.concat([Buffer.from(before), value, Buffer.from(after)])
}

function folded(text: string, width: number): string {
  return text.replace(new RegExp(`.{${width}}(?=.)`, 'g'), '$&\n')
}

function base64(value: string): string {
  return Buffer.from(value).toString('base64')
}

function json(value: string): string {
  return JSON.stringify(value).slice(1, -1)
}

/** RFC 3986. */
function strict(value: string): string {
  return encodeURIComponent(value).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

function unicode(character: string, upperCase = false): string {
  const code = character.charCodeAt(0).toString(16).padStart(4, '0')
  return `\\u${upperCase ? code.toUpperCase() : code}`
}

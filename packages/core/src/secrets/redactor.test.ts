import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { KiwiError } from '../errors/kiwi-error.js'
import { createRedactor } from './redactor.js'

const privateKey = `-----BEGIN PRIVATE KEY-----
${Buffer.from(
  'a private key of no worth, long enough to take several lines of base64 in its PEM file, made up for a test',
)
  .toString('base64')
  .replace(/.{48}(?=.)/g, '$&\n')}
-----END PRIVATE KEY-----
`

const secrets: Readonly<Record<string, string>> = {
  SHORT: 'k!w1',
  PASSWORD: `it's "50%" <of> $HOME & \\more/`,
  TOKEN: 'ghp_16C7e42F292c6912E7710c838347Ae178B4a',
  UNICODE: 'Gänsefüßchen🔑pass',
  BINARY: '~~??>>\u007f~~??>>',
  PRIVATE_KEY: privateKey,
}

const base64 = (text: string) => Buffer.from(text).toString('base64')
const escapeNonAscii = (text: string) =>
  text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** Forms of which nothing at all may be left. */
const wholeForms: Readonly<Record<string, (value: string) => string>> = {
  raw: (value) => value,
  base64,
  'base64 without padding': (value) => base64(value).replace(/=+$/, ''),
  base64url: (value) => Buffer.from(value).toString('base64url'),
  'base64 in a URL': (value) => encodeURIComponent(base64(value)),
  'base64 in lines of 20': (value) => base64(value).replace(/.{20}/g, '$&\r\n').trim(),
  'URL component': encodeURIComponent,
  'URL path': (value) =>
    encodeURIComponent(value)
      .replaceAll('%2F', '/')
      .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`.toUpperCase()),
  'password in a URL': (value) => Object.assign(new URL('https://host'), { password: value }).password,
  'URL form': (value) => new URLSearchParams([['', value]]).toString().slice(1),
  'URL with lower case escapes': (value) => encodeURIComponent(value).replace(/%../g, (code) => code.toLowerCase()),
  JSON: (value) => JSON.stringify(value).slice(1, -1),
  'JSON in JSON': (value) => JSON.stringify(JSON.stringify(value).slice(1, -1)).slice(1, -1),
  'JSON by Go': (value) =>
    JSON.stringify(value)
      .slice(1, -1)
      .replace(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`),
  'JSON by Python': (value) => escapeNonAscii(JSON.stringify(value).slice(1, -1)),
  'single-quoted shell': (value) => value.replaceAll("'", "'\\''"),
  'double-quoted shell': (value) => value.replace(/[\\"$`]/g, '\\$&'),
  'shell with backslashes': (value) => value.replace(/[^A-Za-z0-9_./:=@%^,+-]/gu, '\\$&'),
  XML: (value) =>
    value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
  hex: (value) => Buffer.from(value).toString('hex'),
  'upper case hex': (value) => Buffer.from(value).toString('hex').toUpperCase(),
}

/** Forms that hold the secret in the middle of a longer base64 text: some characters of its surroundings stay. */
const inside: Readonly<Record<string, (value: string) => string>> = {
  'basic pair': (value) => base64(`robot:${value}`),
  'basic pair, second alignment': (value) => base64(`robot$:${value}`),
  'basic pair, third alignment': (value) => base64(`ci-bot:${value}`),
  'docker configuration': (value) => base64(`a:${value}`),
  'middle of a file': (value) => base64(`export A=1\nexport B='${value}'\nexport C=3\n`),
  'middle of a file, in lines': (value) =>
    base64(`export A=1\nexport B='${value}'\nexport C=3\n`).replace(/.{19}/g, '$&\n'),
}

function splitEverywhere(text: string, stream: () => ReturnType<ReturnType<typeof createRedactor>['lines']>): string[] {
  const bytes = Buffer.from(text)
  return Array.from({ length: bytes.length + 1 }, (_, at) => {
    const { push, end } = stream()
    return push(bytes.subarray(0, at)) + push(bytes.subarray(at)) + end()
  })
}

const cases = Object.entries(secrets).flatMap(([name, value]) =>
  Object.entries(wholeForms).map(([form, write]) => ({ name, form, value: value.trim(), write })),
)

describe('a redactor', () => {
  it.each(cases)('masks $name as $form, split at every byte, and nothing beside it', ({ name, value, write }) => {
    const redactor = createRedactor()
    redactor.add(value, name)
    const expected = `2026-01-01 before=[redacted:${name}]\nafter and more`
    const input = `2026-01-01 before=${write(value)}\nafter and more`
    expect(redactor.text(input)).toBe(expected)
    expect([...new Set(splitEverywhere(input, redactor.lines))]).toEqual([expected])
  })

  it.each(
    Object.entries(secrets).flatMap(([name, value]) =>
      Object.entries(inside).map(([form, write]) => ({ name, form, value: value.trim(), write })),
    ),
  )('masks $name inside base64: $form', ({ name, value, write }) => {
    const redactor = createRedactor()
    redactor.add(value, name)
    for (const output of [redactor.text(write(value)), ...splitEverywhere(write(value), redactor.lines)]) {
      expect(output).toContain(`[redacted:${name}]`)
      const left = output.replace(`[redacted:${name}]`, '').replace(/\s/g, '')
      const around = write('').replace(/\s/g, '').length
      // Beside what surrounds it, at most three characters at each end that are cut through by the alignment or a line end.
      expect(left.length).toBeLessThanOrEqual(around + 6)
    }
  })

  it('masks a password in the base64 of a docker configuration that is itself in base64', () => {
    const redactor = createRedactor()
    redactor.add('hunter2-hunter2', 'PASSWORD')
    for (const user of ['a', 'ab', 'abc']) {
      const configuration = JSON.stringify({
        auths: { 'registry.example': { auth: base64(`${user}:hunter2-hunter2`) } },
      })
      expect(redactor.text(configuration)).toContain('[redacted:PASSWORD]')
      for (const indent of ['', ' ', '  '])
        expect(redactor.text(base64(indent + configuration))).toContain('[redacted:PASSWORD]')
    }
  })

  it('masks the passwords inside a docker configuration that is the secret', () => {
    const redactor = createRedactor()
    const auth = base64('robot:open-sesame')
    redactor.add(JSON.stringify({ auths: { 'registry.example': { auth, identitytoken: 'identity-1' } } }), 'CONFIG')
    expect(redactor.text(`-u robot -p open-sesame ${auth} identity-1`)).toBe(
      '-u robot -p [redacted:CONFIG] [redacted:CONFIG] [redacted:CONFIG]',
    )
  })

  it('masks the password of a pair that is the secret, and leaves the port of an address', () => {
    const redactor = createRedactor()
    redactor.add('robot:open-sesame', 'PAIR')
    redactor.add('database:5432', 'ADDRESS')
    expect(redactor.text('open-sesame 5432')).toBe('[redacted:PAIR] 5432')
  })

  it('masks each line of a secret of several lines, but not its armour', () => {
    const redactor = createRedactor()
    redactor.add(privateKey, 'KEY')
    for (const line of privateKey.trim().split('\n'))
      expect(redactor.text(`| ${line} |`)).toBe(line.startsWith('-----') ? `| ${line} |` : '| [redacted:KEY] |')
  })

  it('masks a value that is read with a line end behind it', () => {
    const redactor = createRedactor()
    redactor.add('open-sesame\n', 'FILE')
    expect(redactor.text('x open-sesame y')).toBe('x [redacted:FILE] y')
  })

  it('leaves no end of one secret beside another that overlaps it', () => {
    const redactor = createRedactor()
    redactor.add('abcdefgh', 'A')
    redactor.add('efghijkl', 'B')
    redactor.add('cdef', 'C')
    expect(redactor.text('-abcdefghijkl-')).toBe('-[redacted:A]-')
    expect(redactor.text('-abcdefgh-efghijkl-')).toBe('-[redacted:A]-[redacted:B]-')
  })

  it('gives the same for a stream cut anywhere as for the whole text', () => {
    const random = seeded(1)
    for (let round = 0; round < 300; round++) {
      const redactor = createRedactor()
      const letters = (length: number) => Array.from({ length }, () => 'abc\n'[Math.floor(random() * 4)]).join('')
      for (let i = 0; i < 3; i++)
        redactor.add(`${letters(1 + random() * 5)}abc${'b'.repeat(1 + random() * 3)}`, `S${i}`)
      const input = letters(60)
      const stream = redactor.lines()
      let output = ''
      for (let at = 0; at < input.length; ) {
        const next = at + 1 + Math.floor(random() * 5)
        output += stream.push(input.slice(at, next))
        at = next
      }
      expect(output + stream.end()).toBe(redactor.text(input))
    }
  })

  it('holds nothing of a whole line back, unless a secret may go on in the next', () => {
    const redactor = createRedactor()
    redactor.add('first line of it\nsecond line of it', 'TWO')
    const { push } = redactor.lines()
    expect(push('Step 1/4: first\n')).toBe('Step 1/4: first\n')
    expect(push('first line of it\n')).toBe('')
    expect(push('something else\n')).toBe('[redacted:TWO]\nsomething else\n')
  })

  it('masks in a stream that was begun before the secret was known', () => {
    const redactor = createRedactor()
    const { push, end } = redactor.lines()
    expect(push('open-')).toBe('open-')
    redactor.add('sesame-street', 'LATE')
    expect(push('sesame-street') + end()).toBe('[redacted:LATE]')
  })

  it('leaves other text as it is, whatever secrets it knows', async () => {
    const redactor = createRedactor()
    for (const [name, value] of Object.entries(secrets)) redactor.add(value, name)
    for (const file of ['redactor.ts', 'forms.ts', 'matcher.ts', '../errors/catalogue.ts']) {
      const text = await readFile(new URL(file, import.meta.url), 'utf8')
      expect(redactor.text(text)).toBe(text)
      expect(redactor.text(base64(text))).toBe(base64(text))
    }
    expect(redactor.text('k!w k!w2 K!W1 half \ud83d a character')).toBe('k!w k!w2 K!W1 half \ud83d a character')
  })

  it('goes through JSON to the bottom, keys too, and leaves numbers and shapes', () => {
    const redactor = createRedactor()
    redactor.add('open-sesame', 'S')
    const value = {
      'open-sesame': ['x open-sesame', { deep: 'open-sesame', none: null, yes: true, one: 1 }],
      left: undefined,
    }
    expect(redactor.json(value)).toEqual({
      '[redacted:S]': ['x [redacted:S]', { deep: '[redacted:S]', none: null, yes: true, one: 1 }],
      left: undefined,
    })
  })

  it('masks what goes on from one text of a list to the next, and keeps their number', () => {
    const redactor = createRedactor()
    redactor.add(privateKey, 'KEY')
    const written = base64(privateKey.trim()).replace(/.{60}/g, '$&\n').split('\n')
    const rest = written.map(() => '').slice(1)
    expect(redactor.json(['begin', ...written, 'end'])).toEqual(['begin', '[redacted:KEY]', ...rest, 'end'])
    expect(redactor.json(['begin', `x ${written[0]}`, ...written.slice(1, -1), `${written.at(-1)} y`])).toEqual([
      'begin',
      'x [redacted:KEY]',
      ...rest.slice(1),
      ' y',
    ])
  })

  it('leaves the words that programs branch on, whatever the secret is, but nothing of the evidence', () => {
    const redactor = createRedactor()
    for (const value of ['failed', 'text', 'BUILD_STEP_FAILED', 'done', 'blob', 'production'])
      redactor.add(value, 'WORD')
    const ended = {
      type: 'blob',
      status: 'failed',
      error: { code: 'BUILD_STEP_FAILED', effect: 'done' },
      releaseId: 'web/production/1',
      text: 'it failed',
    }
    expect(redactor.json(ended)).toEqual({ ...ended, text: 'it [redacted:WORD]' })
    expect(redactor.json({ evidence: { status: 'failed', text: [{ state: 'done' }] } })).toEqual({
      evidence: { status: '[redacted:WORD]', '[redacted:WORD]': [{ state: '[redacted:WORD]' }] },
    })
  })

  it('masks the end of a base64 text whose line ended after its first characters, when these were given out already', () => {
    const redactor = createRedactor()
    redactor.add('open-sesame', 'S')
    const { push, end } = redactor.lines()
    const written = base64('open-sesame')
    expect(push(`${written.slice(0, 2)}\n`)).toBe(`${written.slice(0, 2)}\n`)
    expect(push(`${written.slice(2)} and more`) + end()).toBe('[redacted:S] and more')
  })

  it('masks a value without the quotes it was written with, and the password of an address', () => {
    const redactor = createRedactor()
    redactor.add(`"open-sesame"`, 'QUOTED')
    redactor.add('postgres://web:p%40ss-word@database:5432/web', 'ADDRESS')
    expect(redactor.text('open-sesame p@ss-word p%40ss-word database:5432')).toBe(
      '[redacted:QUOTED] [redacted:ADDRESS] [redacted:ADDRESS] database:5432',
    )
  })

  it('leaves what follows a colon and is no password', () => {
    const redactor = createRedactor()
    for (const value of ['https://registry.example', 'registry:5000/web', 'image:latest']) redactor.add(value, 'PLACE')
    expect(redactor.text('//registry.example 5000/web latest')).toBe('//registry.example 5000/web latest')
  })

  it.each(['', 'abc', ' abc \n'])('refuses %j, which it cannot mask without masking other words', (value) => {
    const redactor = createRedactor()
    const add = () => redactor.add(value, 'TINY')
    expect(add).toThrow(KiwiError)
    expect(add).toThrow(expect.objectContaining({ code: 'INPUT_INVALID', evidence: { secret: 'TINY' } }))
    expect(redactor.text('abc abc')).toBe('abc abc')
  })
})

/** mulberry32 */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

import { isAbsolute } from 'node:path'
import * as z from 'zod/mini'
import { KiwiError } from '../errors/kiwi-error.js'
import { parseReference } from '../image/reference.js'
import { checkRef } from '../sources/ref.js'
import { readRepositoryAddress } from '../sources/url.js'

// Every message says what is allowed, and is the description in the JSON Schema too. All are functions: making schemas takes time, and importing
// Kiwi should not.

/** An object with these keys and no others. */
export function object<Shape extends z.core.$ZodShape>(shape: Shape) {
  const keys = Object.keys(shape).join(', ')
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? keys : `an object with ${keys}`),
  })
}

export function text(pattern: RegExp, allowed: string) {
  return z.string({ error: allowed }).check(z.regex(pattern, { error: allowed }), z.describe(allowed))
}

/** Text that a function looks through. What is wrong is not looked at further: checks of the whole may rely on it. */
export function checked(allowed: string, isRight: (value: string) => boolean) {
  const error = allowed
  return z
    .string({ error })
    .check(z.minLength(1, { error }), z.refine(isRight, { error, abort: true }), z.describe(allowed))
}

export function whole(from: number, to: number) {
  const error = `a whole number from ${from} to ${to}`
  return z.int({ error }).check(z.minimum(from, { error }), z.maximum(to, { error }))
}

export function list<Item extends z.core.$ZodType>(item: Item, allowed: string) {
  const error = allowed
  return z.array(item, { error }).check(z.minLength(1, { error }), z.maxLength(1_000, { error }))
}

export function map<Value extends z.core.$ZodType>(
  key: z.core.$ZodType<string, string>,
  value: Value,
  allowed: string,
) {
  return z.record(key, value, { error: allowed })
}

export function oneOf<const Values extends readonly [string, ...string[]]>(...values: Values) {
  return z.enum(values, { error: values.join(' or ') })
}

export const yesOrNo = () => z.boolean({ error: 'true or false' })
/** Up to a week: more than any wait, and less than a timer can hold. */
export const milliseconds = () => whole(1, 604_800_000)
export const portNumber = () => whole(1, 65_535)

export const name = () =>
  text(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'up to 63 lower-case letters, digits and dashes, a letter or digit first and last',
  )

/** Registers made in code may name a registry by its host. */
export const registerName = () =>
  text(
    /^[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?$/,
    'the name of a registered one: letters, digits and . _ : -',
  )

export const variableName = () => text(/^[A-Za-z_][A-Za-z0-9_]{0,254}$/, 'letters, digits and _, no digit first')

export const anyText = () => z.string({ error: 'a string' })

export const secretReference = () =>
  object({
    secret: text(/^[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}$/, 'the name of a secret: 1 to 200 letters, digits and . _ / -'),
  })

const segment = (forbidden: string) => `(?:^|/)${forbidden}(?:/|$)`

/** Relative to the repository, and never out of it: no `..`, nothing absolute, no backslash, no drive. */
export const pathInside = () =>
  text(
    new RegExp(`^(?!/)(?![A-Za-z]:)(?!.*${segment('\\.\\.')})[^\\\\\\p{Cc}\\p{Zl}\\p{Zp}]{1,1024}$`, 'u'),
    'a path inside the repository: relative, with / between names, without .. and backslashes',
  )

export const urlPath = () =>
  text(/^\/(?![/\\])[!"$-[\]-~]{0,2047}$/, 'a path of a URL: / first, no spaces, no # and no backslash')

export const pathInInstance = () =>
  text(
    new RegExp(`^/(?!.*${segment('\\.\\.')})[^/:\\\\\\p{Cc}][^:\\\\\\p{Cc}]{0,1023}$`, 'u'),
    'an absolute path inside the instance, below /, without .. and colons',
  )

export const volumeSource = () =>
  text(
    new RegExp(`^(?:/(?!.*${segment('\\.\\.')})[^:\\\\\\p{Cc}]{0,1023}|[A-Za-z0-9][A-Za-z0-9_.-]{0,127})$`, 'u'),
    'an absolute path of the host without .. and colons, or the name of a volume',
  )

const commandAllowed = 'a list of strings, the program first'

export const command = () =>
  list(anyText(), commandAllowed).check(z.refine((words) => words[0] !== '', { error: commandAllowed }))

export const address = () =>
  text(/^(?:[A-Za-z0-9][A-Za-z0-9.-]{0,252}|[A-Fa-f0-9:.]{2,45})$/, 'an IP address or a host name')

export const pattern = () =>
  text(/^(?! )[^\p{Cc}\p{Zl}\p{Zp}]{1,250}$/u, 'a name or a pattern with * and ?, up to 250 characters')

export const platform = () =>
  text(/^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9]+)?$/, 'operating system and architecture: linux/amd64, linux/arm64')

export const cron = () =>
  text(/^\s*(?:[\dA-Za-z*?,/#-]+\s+){4,5}[\dA-Za-z*?,/#-]+\s*$/, 'a cron expression of five or six fields: 0 3 * * 1-5')

export const timeZone = () => checked('an IANA time zone: Europe/Berlin, UTC', isTimeZone)
export const ref = () => checked('a branch, tag or commit', (value) => passes(() => checkRef(value)))
export const repository = () => checked('project or namespace and name in lower case: library/web', isRepository)
export const imageName = () =>
  checked('an image: node:24-slim, registry.example/team/base@sha256:…', (value) => passes(() => parseReference(value)))
export const gitAddress = () =>
  checked('https://…, ssh://…, user@host:path or an absolute path, no password in it', (value) =>
    passes(() => readRepositoryAddress(value)),
  )
export const directoryPath = () => checked('an absolute path', (value) => isAbsolute(value) && !/\p{Cc}/u.test(value))

export function passes(check: () => unknown): boolean {
  try {
    check()
    return true
  } catch (error) {
    if (KiwiError.is(error)) return false
    throw error
  }
}

function isTimeZone(value: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(value)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: value })
    return true
  } catch {
    return false
  }
}

/** With a host before it, so that the first part of the repository is not read as one. */
function isRepository(value: string): boolean {
  return passes(() => {
    const { repository, tag, digest } = parseReference(`localhost/${value}`)
    if (repository !== value || tag !== undefined || digest !== undefined)
      throw new KiwiError('INPUT_INVALID', 'no repository')
  })
}

import { type InputProblem, pathText } from './problems.js'

/** `password`, `accessToken`, `client_secret`, `api-key`; not `tokenUrl`, `passwordFile` or `imagePullSecret`, which say where one is. */
const secretName = /(?:pass(?:word|phrase|wd)|token|client[_-]?secret|(?:api|access|private|secret)[_-]?key)$/i
/** The user part of an address with a password in it. */
const addressWithPassword = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]*:[^/?#\s]+@/i
const allowed = 'no secret: name it under `secrets`, by reference'

/** Settings are stored as they are: what looks like a secret in them is refused, and not repeated. */
export function pastedSecrets(entry: unknown): InputProblem[] {
  return isObject(entry) ? search(entry.settings, ['settings']) : []
}

function search(value: unknown, path: readonly string[]): InputProblem[] {
  if (typeof value === 'string') return isSecret(value, path.at(-1) ?? '') ? [problem(path)] : []
  if (Array.isArray(value)) return value.flatMap((one, index) => search(one, [...path, String(index)]))
  return isObject(value) ? Object.entries(value).flatMap(([key, one]) => search(one, [...path, key])) : []
}

function isSecret(text: string, key: string): boolean {
  return text !== '' && (secretName.test(key) || addressWithPassword.test(text))
}

function problem(path: readonly string[]): InputProblem {
  return { path: pathText(path), given: 'string', allowed }
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

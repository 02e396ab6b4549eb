/**
 * What of a secret's value must not be seen: all of it, each of its lines, and the passwords inside known shapes
 * (`user:password`, a Docker configuration file).
 */
export function partsOf(value: string): string[] {
  const parts = new Set([value.trim(), unquoted(value.trim())])
  for (const line of value.split(/\r?\n/))
    if (!isArmour(line)) for (const part of [line.trim(), unquoted(line.trim())]) parts.add(part)
  for (const part of [...parts]) for (const password of passwordsOf(part)) parts.add(password)
  for (const part of dockerParts(value)) parts.add(part)
  return [...parts].filter((part) => part.length >= shortestSecret)
}

/** A value that was written with its quotes is read without them by shells; and quotes at an end are written in the most ways. */
function unquoted(text: string): string {
  return text.replace(/^["'`]+|["'`]+$/g, '')
}

/** Below this, masking would hit words that have nothing to do with the secret. */
export const shortestSecret = 4

/** `-----BEGIN PRIVATE KEY-----` says nothing, and stands in other texts too. */
function isArmour(line: string): boolean {
  return /^\s*-----(?:BEGIN|END) [A-Z0-9 ]+-----\s*$/.test(line)
}

/** Of `user:password`, and of an address with one. */
function passwordsOf(text: string): string[] {
  const address = URL.canParse(text) ? new URL(text).password : ''
  const pair = /^[^\s:/@]+:([^\s/]\S*)$/.exec(text)?.[1] ?? ''
  return [address, decoded(address), isNoPassword(pair) ? '' : pair]
}

/** What follows the colon in `host:5432`, `registry:5000/web` and `image:latest`. */
function isNoPassword(text: string): boolean {
  return /^\d{1,5}(?:\/|$)/.test(text) || /^[a-z]{1,7}$/i.test(text)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** `{"auths":{"host":{"auth":base64("user:password"),"password":…,"identitytoken":…}}}` */
function dockerParts(value: string): string[] {
  const auths = entries(entries(parse(value)).find(([key]) => key === 'auths')?.[1])
  return auths.flatMap(([, entry]) => entries(entry).flatMap(([key, text]) => dockerField(key, text)))
}

function dockerField(key: string, value: unknown): string[] {
  if (typeof value !== 'string') return []
  if (key !== 'auth') return ['password', 'identitytoken', 'registrytoken'].includes(key) ? [value] : []
  const pair = Buffer.from(value, 'base64').toString('utf8')
  return [value, pair, pair.slice(pair.indexOf(':') + 1)]
}

function parse(text: string): unknown {
  if (!text.trimStart().startsWith('{')) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function entries(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : []
}

/**
 * What of a secret's value must not be seen: all of it, each of its lines, and the passwords inside known shapes
 * (`user:password`, a Docker configuration file).
 */
export function partsOf(value: string): string[] {
  const parts = new Set([value.trim()])
  for (const line of value.split(/\r?\n/)) if (!isArmour(line)) parts.add(line.trim())
  for (const part of [...parts]) for (const password of passwordOf(part)) parts.add(password)
  for (const part of dockerParts(value)) parts.add(part)
  return [...parts].filter((part) => part.length >= shortestSecret)
}

/** Below this, masking would hit words that have nothing to do with the secret. */
export const shortestSecret = 4

/** `-----BEGIN PRIVATE KEY-----` says nothing, and stands in other texts too. */
function isArmour(line: string): boolean {
  return /^\s*-----(?:BEGIN|END) [A-Z0-9 ]+-----\s*$/.test(line)
}

/** Eight characters at least: what follows the colon of `host:5432` is no password. */
function passwordOf(text: string): string[] {
  const password = /^[^\s:/@]+:(\S{8,})$/.exec(text)?.[1]
  return password === undefined ? [] : [password]
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

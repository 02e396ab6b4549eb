import { type ImagePlace, KiwiError } from '@kiwi/core'

/** A digest taken apart (OCI image-spec, descriptor.md, "Digests"). */
export interface DigestParts {
  readonly algorithm: 'sha256' | 'sha512'
  readonly hex: string
}

const component = /[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/.source
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`)
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
const digestPattern = /^(?:(sha256):([a-f0-9]{64})|(sha512):([a-f0-9]{128}))$/
const uploadPattern = /^[a-f0-9-]{36}$/

/** `undefined` for anything but a well-formed digest of a known algorithm; what it returns is safe in a file name. */
export function parseDigest(text: string): DigestParts | undefined {
  const [, short, shortHex, long, longHex] = digestPattern.exec(text) ?? []
  if (short !== undefined && shortHex !== undefined) return { algorithm: 'sha256', hex: shortHex }
  if (long !== undefined && longHex !== undefined) return { algorithm: 'sha512', hex: longHex }
  return undefined
}

/** No accepted name has a part that begins with `.` or `_`, so a name can neither leave the folder nor meet ours. */
export function isRepository(text: string): boolean {
  return text.length < 256 && repositoryPattern.test(text)
}

export function isTag(text: string): boolean {
  return tagPattern.test(text)
}

export function isUploadId(text: string): boolean {
  return uploadPattern.test(text)
}

/** Returns the repository name. Throws `IMAGE_REFERENCE_INVALID` when no registry would take it. */
export function requireRepository(repository: string): string {
  if (isRepository(repository)) return repository
  throw new KiwiError('IMAGE_REFERENCE_INVALID', `'${repository}' is not a repository name`)
}

/** Returns the place. Throws `IMAGE_REFERENCE_INVALID` when repository, tag or digest is malformed. */
export function requirePlace(place: ImagePlace): ImagePlace {
  requireRepository(place.repository)
  if (isTag(place.reference) || parseDigest(place.reference)) return place
  throw new KiwiError('IMAGE_REFERENCE_INVALID', `'${place.reference}' is neither a tag nor a digest`)
}

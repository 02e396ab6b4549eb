import { createHash } from 'node:crypto'
import {
  type Context,
  type Descriptor,
  digestOf,
  type ImagePlace,
  isIndex,
  isManifest,
  KiwiError,
  mediaTypes,
} from '@kiwi/core'
import type { Client } from './client.js'
import { parseBody } from './errors.js'
import { parseDigest } from './names.js'
import { pullScope } from './scopes.js'

/** The specification asks registries for 4 MiB at least; nobody's manifests are larger. */
const manifestLimitBytes = 8 * 1024 * 1024

export const accept = [mediaTypes.manifest, mediaTypes.index, mediaTypes.dockerManifest, mediaTypes.dockerIndex].join(
  ', ',
)

/** Asks with HEAD, which no registry counts against a pull limit. `undefined` only when the registry says so itself. */
export async function resolveAt(client: Client, place: ImagePlace, context: Context): Promise<Descriptor | undefined> {
  const answer = await client.send({ ...manifestCall(client, place), method: 'HEAD' }, context)
  await answer.discard()
  if (answer.status === 404) {
    const certain = answer.header('content-type')?.includes('json') ?? false
    return certain ? undefined : fetchDescriptor(client, place, context)
  }
  const digest = answer.header('docker-content-digest')
  const size = Number(answer.header('content-length') ?? Number.NaN)
  const mediaType = typeOf(answer.header('content-type'))
  if (digest === undefined || !parseDigest(digest) || !Number.isSafeInteger(size) || !isKnown(mediaType)) {
    return fetchDescriptor(client, place, context)
  }
  return agreed({ mediaType, digest, size }, place, client)
}

/** The bytes of a manifest, and the type that the registry says it has; `undefined` when it is not there. */
export async function fetchManifest(client: Client, place: ImagePlace, context: Context) {
  const call = { ...manifestCall(client, place), method: 'GET' } as const
  const { answer, bytes, cutOff } = await client.read(call, manifestLimitBytes, context)
  if (cutOff) throw failed(client, place, 'the manifest is larger than 8 MiB')
  if (answer.status === 200) return { bytes, mediaType: typeOf(answer.header('content-type')) }
  const { code } = parseBody(Buffer.from(bytes).toString())
  if (/UNKNOWN|NOT_FOUND/.test(code)) return undefined
  throw failed(client, place, 'it answers 404 without saying that the manifest is unknown')
}

/** The manifest that a digest names: exactly those bytes, or a `DIGEST_MISMATCH`. */
export async function fetchExactly(client: Client, place: ImagePlace, context: Context) {
  const found = await fetchManifest(client, place, context)
  const parts = parseDigest(place.reference)
  if (!found || !parts) return undefined
  const hex = createHash(parts.algorithm).update(found.bytes).digest('hex')
  if (hex === parts.hex) return found
  const { host } = client.endpoint
  throw new KiwiError('DIGEST_MISMATCH', `what ${host} gives for ${place.reference} is something else`)
}

async function fetchDescriptor(client: Client, place: ImagePlace, context: Context): Promise<Descriptor | undefined> {
  const found = await fetchManifest(client, place, context)
  if (!found) return undefined
  const { bytes, mediaType } = found
  if (!isKnown(mediaType)) throw failed(client, place, `it is of the type '${mediaType}', which is no image`)
  return agreed({ mediaType, digest: digestOf(bytes), size: bytes.byteLength }, place, client)
}

function manifestCall({ endpoint }: Client, { repository, reference }: ImagePlace) {
  const name = endpoint.repository(repository)
  return {
    to: `/v2/${name}/manifests/${reference}`,
    scopes: [pullScope(name)],
    headers: { accept },
    expect: [200, 404],
    doing: `pull ${describePlace(endpoint.host, { repository, reference })}`,
  }
}

export function describePlace(host: string, { repository, reference }: ImagePlace): string {
  return `${host}/${repository}${reference.includes(':') ? '@' : ':'}${reference}`
}

function agreed(found: Descriptor, { reference, repository }: ImagePlace, { endpoint }: Client): Descriptor {
  if (!reference.includes(':') || reference === found.digest) return found
  throw new KiwiError('DIGEST_MISMATCH', `${endpoint.host}/${repository} gives ${found.digest} for ${reference}`)
}

function typeOf(header: string | undefined): string {
  return header?.split(';')[0]?.trim() ?? ''
}

function isKnown(mediaType: string): boolean {
  return isManifest(mediaType) || isIndex(mediaType)
}

function failed({ endpoint }: Client, place: ImagePlace, why: string): KiwiError {
  return new KiwiError('REGISTRY_FAILED', `cannot pull ${describePlace(endpoint.host, place)}: ${why}`, {
    evidence: { host: endpoint.host },
  })
}

import { type Context, type Descriptor, type Digest, KiwiError, mediaTypes, parseIndex } from '@kiwi/core'
import type { Client } from './client.js'
import { parseDigest } from './names.js'
import { fetchManifest } from './pull.js'
import { putManifest } from './put.js'

/** A manifest about another one: a signature, a bill of materials, an attestation. */
export interface Referrer extends Descriptor {
  readonly artifactType?: string | undefined
}

/**
 * Keeps the fallback tag up where the registry did not say that it took note of the subject (specification, "Pushing Manifests with Subject").
 * `noted`: the answer's `OCI-Subject`.
 */
export async function noteSubject(
  client: Client,
  repository: string,
  stored: { readonly bytes: Uint8Array; readonly mediaType: string; readonly digest: Digest },
  noted: string | undefined,
  context: Context,
): Promise<void> {
  if (noted !== undefined || !mentionsSubject(stored.bytes)) return
  const { subject, ...manifest } = readSubject(stored.bytes)
  if (subject === undefined) return
  const { mediaType, digest, bytes } = stored
  const own: Referrer = { mediaType, digest, size: bytes.byteLength, ...manifest }
  const add = (others: readonly Referrer[]) => (others.some(isOf(digest)) ? others : [...others, own])
  await changeFallback(client, { repository, digest: subject }, add, context)
}

/** Takes a manifest that was removed off the fallback tag of its subject, where there is one. */
export async function forgetSubject(
  client: Client,
  repository: string,
  removed: { readonly bytes: Uint8Array; readonly digest: Digest },
  context: Context,
): Promise<void> {
  if (!mentionsSubject(removed.bytes)) return
  const { subject } = readSubject(removed.bytes)
  if (subject === undefined) return
  const remove = (others: readonly Referrer[]) =>
    others.some(isOf(removed.digest)) ? others.filter((one) => !isOf(removed.digest)(one)) : others
  await changeFallback(client, { repository, digest: subject }, remove, context)
}

function isOf(wanted: Digest): (one: Referrer) => boolean {
  return ({ digest }) => digest === wanted
}

/** Most manifests have none, and are not read for it. */
function mentionsSubject(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('"subject"')
}

/** A manifest that others may be about. */
export interface Subject {
  readonly repository: string
  readonly digest: Digest
}

async function changeFallback(
  client: Client,
  { repository, digest }: Subject,
  /** The same array: nothing is to be changed. */
  change: (referrers: readonly Referrer[]) => readonly Referrer[],
  context: Context,
): Promise<void> {
  const place = { repository, digest }
  await inTurn(client, `${repository}@${digest}`, () => writeFallback(client, place, change, context))
}

const changing = new WeakMap<Client, Map<string, Promise<unknown>>>()

/** The tag is read and written: in this process, one after another. */
async function inTurn(client: Client, key: string, change: () => Promise<void>): Promise<void> {
  const queue = changing.get(client) ?? new Map<string, Promise<unknown>>()
  changing.set(client, queue)
  const turn = (queue.get(key) ?? Promise.resolve()).then(change)
  const settled = turn.catch(() => undefined)
  queue.set(key, settled)
  await turn.finally(() => {
    if (queue.get(key) === settled) queue.delete(key)
  })
}

/** Other processes change the same tag: whoever sees that it was overwritten writes again. */
const attempts = 5

async function writeFallback(
  client: Client,
  place: Subject,
  change: (referrers: readonly Referrer[]) => readonly Referrer[],
  context: Context,
): Promise<void> {
  for (let count = 0; count <= attempts; count++) {
    const referrers = await readFallback(client, place, context)
    const manifests = change(referrers)
    if (manifests === referrers) return
    if (count === attempts) break
    const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }))
    const tag = fallbackTag(place.digest)
    await putManifest(client, place.repository, { bytes, mediaType: mediaTypes.index, tag }, context)
  }
  const { host } = client.endpoint
  throw new KiwiError('CONFLICT', `others keep changing the referrers of ${host}/${place.repository}@${place.digest}`, {
    effect: 'done',
  })
}

/** What the fallback tag lists; empty where there is none. */
export async function readFallback(
  client: Client,
  { repository, digest }: Subject,
  context: Context,
): Promise<readonly Referrer[]> {
  const found = await fetchManifest(client, { repository, reference: fallbackTag(digest) }, context)
  return found?.mediaType === mediaTypes.index ? parseReferrers(found.bytes) : []
}

/** `sha256-…` (specification, "Referrers Tag Schema"). */
function fallbackTag(digest: Digest): string {
  const { algorithm, hex } = parseDigest(digest) ?? {}
  if (algorithm === undefined || hex === undefined)
    throw new KiwiError('IMAGE_REFERENCE_INVALID', `'${digest}' is not a digest of a known algorithm`)
  return `${algorithm}-${hex.slice(0, 64)}`
}

/** Reads an index of referrers. Throws `REGISTRY_FAILED` when it is none. */
export function parseReferrers(bytes: Uint8Array): readonly Referrer[] {
  const descriptors = parseIndex(bytes)
  const { manifests } = JSON.parse(new TextDecoder().decode(bytes))
  return descriptors.map((descriptor, index) => {
    const artifactType: unknown = manifests[index]?.artifactType
    return { ...descriptor, ...(typeof artifactType === 'string' && { artifactType }) }
  })
}

/** What a list of referrers says of a manifest. */
function readSubject(bytes: Uint8Array) {
  const { subject, artifactType, config, annotations } = JSON.parse(new TextDecoder().decode(bytes))
  const type: unknown = artifactType ?? config?.mediaType
  const digest: unknown = subject?.digest
  return {
    subject: typeof digest === 'string' && parseDigest(digest) ? digest : undefined,
    ...(typeof type === 'string' && { artifactType: type }),
    ...(typeof annotations === 'object' && annotations !== null && { annotations }),
  }
}

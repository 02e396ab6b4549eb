import {
  type BlobFact,
  type BlobUpload,
  type Context,
  type Descriptor,
  digestOf,
  type ImageSink,
  isIndex,
  isManifest,
  KiwiError,
} from '@kiwi/core'
import type { Client } from './client.js'
import { noteSubject } from './fallback.js'
import { accept } from './pull.js'
import { statusOf } from './retry.js'
import { pushScope } from './scopes.js'
import { type UploadOptions, uploadBlob } from './upload.js'

/** What this process saw in each repository: asked for once, not for every release. */
export type Seen = (repository: string) => SeenRepository

export interface SeenRepository {
  readonly blobs: Set<string>
  /** Sent just now; whoever wants to send the same waits. */
  readonly sending: Map<string, Promise<unknown>>
}

export function seenBlobs(): Seen {
  const repositories = new Map<string, SeenRepository>()
  return (repository) => {
    const seen = repositories.get(repository) ?? { blobs: new Set(), sending: new Map() }
    repositories.set(repository, seen)
    return seen
  }
}

interface Place {
  readonly client: Client
  readonly name: string
  readonly scopes: readonly string[]
  readonly doing: string
  readonly seen: SeenRepository
}

export function registrySink(client: Client, repository: string, seen: Seen, options: UploadOptions = {}): ImageSink {
  const { endpoint } = client
  const name = endpoint.repository(repository)
  const doing = `push to ${endpoint.host}/${name}`
  const place: Place = { client, name, scopes: [pushScope(name)], doing, seen: seen(name) }
  return {
    retag: (bytes, { mediaType, tag }, context) => retag(place, { bytes, mediaType, tag }, context),
    async has({ digest, mediaType }, context) {
      if (isManifest(mediaType) || isIndex(mediaType)) {
        return (await look(place, `manifests/${digest}`, context, mediaType)).status === 200
      }
      if (place.seen.blobs.has(digest)) return true
      const there = (await look(place, `blobs/${digest}`, context)).status === 200
      if (there) place.seen.blobs.add(digest)
      return there
    },
    blob: (upload, context) => sendOnce(place, upload, options, context),
    manifest: (bytes, { mediaType, tag }, context) => putManifest(place, { bytes, mediaType, tag }, context),
  }
}

async function look({ client, name, scopes, doing }: Place, at: string, context: Context, type?: string) {
  const headers = type === undefined ? {} : { accept: type }
  const call = { method: 'HEAD', to: `/v2/${name}/${at}`, scopes, doing, headers, expect: [200, 404] } as const
  const answer = await client.send(call, context)
  await answer.discard()
  return answer
}

/** The same blob of two images that are pushed at a time is sent once. */
async function sendOnce(
  place: Place,
  upload: BlobUpload,
  options: UploadOptions,
  context: Context,
): Promise<Descriptor> {
  const { client, name, seen } = place
  const { expected, mediaType } = upload
  if (!expected) return stored(place, mediaType, await uploadBlob(client, name, upload, context, options), context)
  const { digest } = expected
  for (let other = seen.sending.get(digest); other; other = seen.sending.get(digest)) {
    await settled(other, context.signal)
  }
  if (seen.blobs.has(digest)) return report('exists', { mediaType, ...expected }, context)
  const sending = uploadBlob(client, name, upload, context, options)
  seen.sending.set(digest, sending)
  try {
    return stored(place, mediaType, await sending, context)
  } finally {
    seen.sending.delete(digest)
  }
}

/** Also after a failure: that is not the failure of those who wait. */
async function settled(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort)
  try {
    await Promise.race([work.catch(() => undefined), aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function stored(
  { seen }: Place,
  mediaType: string,
  { digest, size, mounted }: Awaited<ReturnType<typeof uploadBlob>>,
  context: Context,
): Descriptor {
  seen.blobs.add(digest)
  return report(mounted ? 'mounted' : 'done', { mediaType, digest, size }, context)
}

function report<T extends { readonly digest: string; readonly size: number }>(
  state: BlobFact['state'],
  blob: T,
  context: Context,
): T {
  const { digest, size } = blob
  context.report({ type: 'blob', direction: 'push', digest, state, bytes: size, totalBytes: size })
  return blob
}

interface Manifest {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly tag?: string | undefined
}

/** One request when the tag is right by now, two when only the tag is missing. */
async function retag(place: Place, manifest: Manifest, context: Context): Promise<Descriptor | undefined> {
  const { bytes, mediaType, tag } = manifest
  const digest = digestOf(bytes)
  const found = await look(place, `manifests/${tag ?? digest}`, context, accept).catch(unlessOdd)
  if (found?.status === 200 && found.header('docker-content-digest') === digest) {
    return { mediaType, digest, size: bytes.byteLength }
  }
  if (!found || tag === undefined) return undefined
  if (!refusesIncomplete(found)) {
    const known = await look(place, `manifests/${digest}`, context, accept).catch(unlessOdd)
    if (known?.status !== 200) return undefined
  }
  return putManifest(place, manifest, context).catch((error: unknown) => {
    const status = statusOf(error)
    if (status === 400 || status === 404) return undefined // a part is missing, or the whole repository: everything is copied
    throw error
  })
}

/** Registries made of CNCF distribution say so, and take no manifest whose blobs they do not have. */
function refusesIncomplete(answer: { header(name: string): string | undefined }): boolean {
  return answer.header('docker-distribution-api-version') === 'registry/2.0'
}

/** A registry that cannot answer this question may well take the image. */
function unlessOdd(error: unknown): undefined {
  if (KiwiError.is(error) && error.code === 'REGISTRY_FAILED' && !error.retryable) return undefined
  throw error
}

/** Its digest says what is stored, so it may be sent again. */
async function putManifest(place: Place, { bytes, mediaType, tag }: Manifest, context: Context): Promise<Descriptor> {
  const { client, name, scopes, doing, seen } = place
  const digest = digestOf(bytes)
  const call = {
    method: 'PUT',
    to: `/v2/${name}/manifests/${tag ?? digest}`,
    scopes,
    doing,
    headers: { 'content-type': mediaType },
    body: bytes,
    expect: [200, 201, 202],
    effect: 'unknown',
    again: true,
  } as const
  let subject: string | undefined
  try {
    const answer = await client.send(call, context)
    await answer.discard()
    subject = answer.header('oci-subject')
    requireSame(digest, answer.header('docker-content-digest'), doing)
  } catch (error) {
    seen.blobs.clear() // what was seen may have been cleared away since
    if (!(await isTaggedAlready(place, tag, digest, error, context))) throw error
  }
  await noteSubject(client, name, { bytes, mediaType, digest }, subject, context)
  return { mediaType, digest, size: bytes.byteLength }
}

/** A tag that must not change may be ours, from a try whose answer was lost. */
async function isTaggedAlready(
  place: Place,
  tag: string | undefined,
  digest: string,
  error: unknown,
  context: Context,
) {
  if (tag === undefined || !KiwiError.is(error) || error.code !== 'TAG_IMMUTABLE') return false
  const found = await look(place, `manifests/${tag}`, context, accept)
  return found.status === 200 && found.header('docker-content-digest') === digest
}

/** A registry that rewrites manifests stores something else than what was built. */
function requireSame(digest: string, stored: string | undefined, doing: string): void {
  if (stored === undefined || stored === digest) return
  throw new KiwiError('DIGEST_MISMATCH', `cannot ${doing}: it stored ${stored} in place of ${digest}`, {
    effect: 'done',
    retryable: false,
  })
}

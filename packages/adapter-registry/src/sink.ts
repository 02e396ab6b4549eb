import {
  type BlobFact,
  type BlobUpload,
  type Context,
  type Descriptor,
  type ImageSink,
  isIndex,
  isManifest,
} from '@kiwi/core'
import type { Client } from './client.js'
import { pushScope } from './scopes.js'
import type { Seen } from './seen.js'
import { look, putManifest, retag, type SinkPlace } from './sink-manifest.js'
import { type UploadOptions, uploadBlob } from './upload.js'

export function registrySink(client: Client, repository: string, seen: Seen, options: UploadOptions = {}): ImageSink {
  const { endpoint } = client
  const name = endpoint.repository(repository)
  const doing = `push to ${endpoint.host}/${name}`
  const place: SinkPlace = { client, name, scopes: [pushScope(name)], doing, seen: seen(name) }
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

/** The same blob of two images that are pushed at a time is sent once. */
async function sendOnce(
  place: SinkPlace,
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
  { seen }: SinkPlace,
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

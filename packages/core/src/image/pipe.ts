import type { Context } from '../contracts/v1/context.js'
import type { Descriptor, ImageSink, ImageSource } from '../contracts/v1/image.js'
import { digestOf, mismatch } from './digest.js'
import { isIndex, isManifest, parseIndex, parseManifest } from './manifest.js'
import type { PipeCompression } from './pipe-compressed.js'

/** As many blobs at a time as BuildKit sends to one registry. */
const concurrentBlobs = 4

/**
 * Copies an image, or a whole index, from a source into a sink: push, pull, copy, layout and load are all this.
 * What the sink has is skipped; children go before parents; resolves to the root as the sink stored it.
 * With `compression`, OCI layers that are plain tars are compressed on their way, in one pass; the root is then another one.
 * @example await pipe(layout.source(built.manifest), registry.sink('web'), { tag: 'main-a1b2c3d' }, context)
 */
export async function pipe(
  source: ImageSource,
  sink: ImageSink,
  options: { readonly tag?: string | undefined; readonly compression?: PipeCompression | undefined },
  context: Context,
): Promise<Descriptor> {
  const { compression } = options
  if (compression) {
    const { pipeCompressed } = await import('./pipe-compressed.js') // lazily: most images come compressed
    return pipeCompressed({ source, sink, compression }, options.tag, context)
  }
  const { mediaType } = source.root
  const bytes = await verifiedManifest(source, context.signal)
  const there = await sink.retag?.(bytes, { mediaType, tag: options.tag }, context)
  if (there) return there
  if (isIndex(mediaType)) await copyManifests(source, sink, parseIndex(bytes), context)
  else await copyBlobs(source, sink, bytes, context)
  return sink.manifest(bytes, { mediaType, tag: options.tag }, context)
}

/** What is read decides what is copied, and how the root is called there: never taken on trust. */
export async function verifiedManifest(source: ImageSource, signal: AbortSignal): Promise<Uint8Array> {
  const { root } = source
  const bytes = await source.manifest(root, signal)
  const found = digestOf(bytes)
  if (root.digest.startsWith('sha256:') && found !== root.digest)
    throw mismatch(root, `${found} in ${bytes.byteLength} bytes`)
  return bytes
}

async function copyManifests(source: ImageSource, sink: ImageSink, children: readonly Descriptor[], context: Context) {
  for (const child of children) {
    if (!isManifest(child.mediaType) && !isIndex(child.mediaType)) await copyBlob(source, sink, child, context)
    else await pipe(rootedAt(child, source), sink, {}, context)
  }
}

/** The same place, standing for another manifest. */
export function rootedAt(root: Descriptor, source: ImageSource): ImageSource {
  return {
    root,
    origin: source.origin,
    manifest: (descriptor, signal) => source.manifest(descriptor, signal),
    blob: (descriptor, options) => source.blob(descriptor, options),
  }
}

async function copyBlobs(source: ImageSource, sink: ImageSink, manifest: Uint8Array, context: Context): Promise<void> {
  const { config, layers } = parseManifest(manifest)
  await copyEach([...layers, config], (blob, stoppable) => copyBlob(source, sink, blob, stoppable), context)
}

/** Each blob once, a few at a time; the first failure stops the others. */
export async function copyEach(
  blobs: readonly Descriptor[],
  copy: (blob: Descriptor, context: Context) => Promise<void>,
  context: Context,
  concurrency = concurrentBlobs,
): Promise<void> {
  const waiting = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()]
  const failed = new AbortController()
  const stoppable = { ...context, signal: AbortSignal.any([context.signal, failed.signal]) }
  const worker = async () => {
    for (let blob = waiting.shift(); blob; blob = waiting.shift()) await copy(blob, stoppable)
  }
  const stopOthers = (error: unknown) => {
    failed.abort(error)
    throw error
  }
  await Promise.allSettled(Array.from({ length: concurrency }, () => worker().catch(stopOthers)))
  if (failed.signal.aborted) throw failed.signal.reason // the first failure: the others were stopped by it
  context.signal.throwIfAborted()
}

export async function copyBlob(
  source: ImageSource,
  sink: ImageSink,
  blob: Descriptor,
  context: Context,
): Promise<void> {
  const { signal } = context
  signal.throwIfAborted()
  if (await sink.has(blob, context)) {
    context.report({
      type: 'blob',
      direction: 'push',
      digest: blob.digest,
      state: 'exists',
      bytes: blob.size,
      totalBytes: blob.size,
    })
    return
  }
  const upload = {
    mediaType: blob.mediaType,
    expected: { digest: blob.digest, size: blob.size },
    mountFrom: source.origin,
    open: (offsetBytes: number) => source.blob(blob, { offsetBytes, signal }),
  }
  await sink.blob(upload, context)
}

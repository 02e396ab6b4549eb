import type { BuildIo, Context, Descriptor, ImageSource, OciLayout, Platform } from '@kiwi/core'
import { type ReadImage, readImage, shared } from '../layers/index.js'
import type { Workshop } from './workshop.js'

export interface BaseImage extends ReadImage {
  /** Brings a blob of the image into the layout, if it is not there. */
  pull(descriptor: Descriptor): Promise<void>
}

/** An image that the Dockerfile names; its blobs come into the workshop's layout once, when they are first read. */
export async function openBase(
  reference: string,
  platform: Platform,
  { workshop, io, context }: { readonly workshop: Workshop; readonly io: BuildIo; readonly context: Context },
): Promise<BaseImage> {
  const { layout } = workshop
  const source = await io.image(reference)
  const pull = (descriptor: Descriptor) =>
    shared(workshop.pulls, descriptor.digest, context.signal, () => pullBlob(source, descriptor, layout, context), {
      forget: true,
    })
  const through = throughLayout(source, layout, pull, context)
  const known = workshop.images.get(source.root.digest)
  const image = known ? from(known, through) : await readImage(through, platform, context.signal)
  workshop.images.set(source.root.digest, image)
  return { ...image, pull }
}

/** What was read of an image before, with its blobs from the source at hand. */
function from(image: ReadImage, source: ImageSource): ReadImage {
  const layers = image.layers.map(({ diffId, descriptor }) => {
    return { diffId, descriptor, open: (signal: AbortSignal) => source.blob(descriptor, { offsetBytes: 0, signal }) }
  })
  return { ...image, layers }
}

function throughLayout(source: ImageSource, layout: OciLayout, pull: BaseImage['pull'], context: Context): ImageSource {
  return {
    root: source.root,
    async manifest(descriptor, signal) {
      if (await layout.sink.has(descriptor, context)) return layout.source(descriptor).manifest(descriptor, signal)
      const bytes = await source.manifest(descriptor, signal)
      await layout.sink.manifest(bytes, { mediaType: descriptor.mediaType }, context)
      return bytes
    },
    async *blob(descriptor, options) {
      await pull(descriptor)
      yield* layout.source(descriptor).blob(descriptor, options)
    },
  }
}

export async function pullBlob(
  source: ImageSource,
  descriptor: Descriptor,
  layout: OciLayout,
  context: Context,
): Promise<void> {
  if (await layout.sink.has(descriptor, context)) return
  const { digest, size } = descriptor
  const report = (state: 'transferring' | 'done', bytes: number) =>
    context.report({ type: 'blob', direction: 'pull', digest, state, bytes, totalBytes: size })
  const open = async function* (offsetBytes: number) {
    let bytes = offsetBytes
    for await (const chunk of source.blob(descriptor, { offsetBytes, signal: context.signal })) {
      bytes += chunk.byteLength
      report('transferring', bytes)
      yield chunk
    }
  }
  await layout.sink.blob({ mediaType: descriptor.mediaType, expected: { digest, size }, open }, context)
  report('done', size)
}

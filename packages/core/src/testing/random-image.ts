import { randomBytes } from 'node:crypto'
import type { Descriptor, ImageSource } from '../contracts/v1/image.js'
import { mediaTypes } from '../image/manifest.js'
import { testContext } from './context.js'
import { memoryImages } from './memory-image.js'

export interface RandomImage extends ImageSource {
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

/** An image in memory, with layers of random bytes: no two are alike. Its layers cannot be unpacked. */
export async function randomImage({ layers: count = 2, layerBytes = 20_000 } = {}): Promise<RandomImage> {
  const images = memoryImages()
  const context = testContext()
  const put = (mediaType: string, bytes: Uint8Array) =>
    images.sink.blob({ mediaType, open: () => once(bytes) }, context)
  const layers: Descriptor[] = []
  for (let index = 0; index < count; index++) layers.push(await put(mediaTypes.layerGzip, randomBytes(layerBytes)))
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) }
  const config = await put(mediaTypes.config, json({ os: 'linux', architecture: 'amd64', rootfs }))
  const { manifest: mediaType } = mediaTypes
  const root = await images.sink.manifest(json({ schemaVersion: 2, mediaType, config, layers }), { mediaType }, context)
  return { ...images.source(root), config, layers }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { BlobUpload, Descriptor, ImageSink, ImageSource } from '../../contracts/v1/image.js'
import { digestOf } from '../../image/digest.js'
import { mediaTypes } from '../../image/manifest.js'
import { pipe } from '../../image/pipe.js'
import { testContext } from '../context.js'
import { type RandomImage, randomImage } from '../random-image.js'
import { rejects, stops } from './expect.js'
import type { KitCase } from './kit.js'

/** A place that images are written to, and read from again. */
export interface ImageEnds {
  readonly sink: ImageSink
  source(root: Descriptor): ImageSource | Promise<ImageSource>
}

export interface ImageEndsKitOptions {
  /** Asked once per case: always the same place, or a new one each time. */
  ends(): ImageEnds | Promise<ImageEnds>
  /** Changes a stored blob behind the place's back. Left out: that reads are verified is not checked. */
  readonly damage?: ((digest: string) => Promise<void>) | undefined
}

/** What everything keeps that images are written to and read from: registries, layouts, engines. */
export function imageEndsKit(options: ImageEndsKitOptions): readonly KitCase[] {
  const one = (name: string, check: (ends: ImageEnds) => Promise<void>): KitCase => ({
    name: `image: ${name}`,
    run: async () => check(await options.ends()),
  })
  return [
    one('comes back as it was written', comesBack),
    one('is written again without harm', async (ends) => {
      const image = await randomImage()
      await pipe(image, ends.sink, {}, context)
      assert.deepEqual(await pipe(image, ends.sink, {}, context), image.root)
      await sameImage(await ends.source(image.root), image)
    }),
    one('an index comes back with all its images', indexComesBack),
    one('a blob is there once it is written, not before', async ({ sink }) => {
      const [bytes, blob] = randomBlob()
      assert.equal(await sink.has(blob, context), false)
      const stored = await sink.blob(upload(bytes, blob), context)
      assert.deepEqual([stored.digest, stored.size, stored.mediaType], [blob.digest, blob.size, blob.mediaType])
      assert.equal(await sink.has(blob, context), true)
    }),
    one('a blob of unknown digest is written in one stream, and its digest told', async ({ sink }) => {
      const [bytes, blob] = randomBlob(1_000_000)
      const { digest, size } = await sink.blob({ mediaType: blob.mediaType, open: () => inPieces(bytes) }, context)
      assert.deepEqual([digest, size], [blob.digest, blob.size])
      assert.equal(await sink.has(blob, context), true)
    }),
    one('bytes that are not what was announced are refused and not kept', async ({ sink }) => {
      const [bytes, blob] = randomBlob()
      const wrong = [randomBytes(bytes.length), bytes.subarray(1), Buffer.concat([bytes, bytes])]
      for (const given of wrong) {
        const { digest, size } = blob
        const call = sink.blob({ ...upload(given, blob), expected: { digest, size } }, context)
        await rejects(call, 'other bytes', { codes: ['DIGEST_MISMATCH'] })
        assert.equal(await sink.has(blob, context), false)
      }
    }),
    one('a blob is read from any offset', async (ends) => {
      const image = await randomImage()
      await pipe(image, ends.sink, {}, context)
      const source = await ends.source(image.root)
      const [layer] = image.layers
      if (!layer) assert.fail('the image has layers')
      const whole = await read(source, layer)
      for (const offsetBytes of [1, 1_000, layer.size - 1])
        assert.deepEqual(await read(source, layer, offsetBytes), whole.subarray(offsetBytes))
    }),
    one('what is not there is refused, not made up', async (ends) => {
      const image = await randomImage()
      await pipe(image, ends.sink, {}, context)
      const source = await ends.source(image.root)
      const [, missing] = randomBlob()
      await rejects(read(source, missing), 'a missing blob')
      await rejects(
        source.manifest({ ...missing, mediaType: mediaTypes.manifest }, context.signal),
        'a missing manifest',
      )
    }),
    one('nothing is kept of a blob whose signal fires on its way', async ({ sink }) => {
      const [bytes, blob] = randomBlob(200_000)
      const stop = new AbortController()
      const open = async function* () {
        yield bytes.subarray(0, 1_000)
        stop.abort()
        yield bytes.subarray(1_000)
      }
      const { mediaType, digest, size } = blob
      const call = sink.blob({ mediaType, expected: { digest, size }, open }, testContext({ signal: stop.signal }))
      await stops(call, 'sink.blob')
      assert.equal(await sink.has(blob, context), false)
    }),
    ...(options.damage ? [one('damage is found when it is read', (ends) => damaged(ends, options))] : []),
  ]
}

const context = testContext()

async function comesBack(ends: ImageEnds): Promise<void> {
  const image = await randomImage({ layers: 6 })
  assert.deepEqual(await pipe(image, ends.sink, {}, context), image.root)
  const source = await ends.source(image.root)
  assert.deepEqual([source.root.digest, source.root.size], [image.root.digest, image.root.size])
  await sameImage(source, image)
}

async function sameImage(source: ImageSource, image: RandomImage): Promise<void> {
  const bytes = await source.manifest(image.root, context.signal)
  assert.equal(digestOf(bytes), image.root.digest, 'the manifest is another')
  for (const blob of [image.config, ...image.layers])
    assert.equal(digestOf(await read(source, blob)), blob.digest, 'a blob is another')
}

async function indexComesBack(ends: ImageEnds): Promise<void> {
  const children = [await randomImage({ layers: 1 }), await randomImage({ layers: 1 })]
  const manifests = children.map(({ root }, index) => ({
    ...root,
    platform: { os: 'linux', architecture: index === 0 ? 'amd64' : 'arm64' },
  }))
  const { index: mediaType } = mediaTypes
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
  const root = { mediaType, digest: digestOf(bytes), size: bytes.byteLength }
  const of = (digest: string) =>
    children.find((one) => [one.root, one.config, ...one.layers].some((part) => part.digest === digest)) ??
    assert.fail(`${digest} is not of this index`)
  const index: ImageSource = {
    root,
    manifest: async (descriptor, signal) =>
      descriptor.digest === root.digest ? bytes : of(descriptor.digest).manifest(descriptor, signal),
    blob: (descriptor, options) => of(descriptor.digest).blob(descriptor, options),
  }
  assert.deepEqual(await pipe(index, ends.sink, {}, context), root)
  const source = await ends.source(root)
  assert.deepEqual(Buffer.from(await source.manifest(root, context.signal)), Buffer.from(bytes))
  for (const child of children) await sameImage(source, child)
}

async function damaged(ends: ImageEnds, { damage }: ImageEndsKitOptions): Promise<void> {
  const image = await randomImage()
  await pipe(image, ends.sink, {}, context)
  const [layer] = image.layers
  if (!layer) assert.fail('the image has layers')
  await damage?.(layer.digest)
  await damage?.(image.root.digest)
  const source = await ends.source(image.root)
  await rejects(read(source, layer), 'a damaged blob', { codes: ['DIGEST_MISMATCH'] })
  await rejects(source.manifest(image.root, context.signal), 'a damaged manifest', { codes: ['DIGEST_MISMATCH'] })
}

function randomBlob(size = 10_000): readonly [Buffer, Descriptor] {
  const bytes = randomBytes(size)
  return [bytes, { mediaType: mediaTypes.layerGzip, digest: digestOf(bytes), size }]
}

function upload(bytes: Uint8Array, { mediaType, digest, size }: Descriptor): BlobUpload {
  return { mediaType, expected: { digest, size }, open: (offset) => inPieces(bytes.subarray(offset)) }
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 64_000) yield bytes.subarray(at, at + 64_000)
}

async function read(source: ImageSource, descriptor: Descriptor, offsetBytes = 0): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(source.blob(descriptor, { offsetBytes, signal: context.signal })))
}

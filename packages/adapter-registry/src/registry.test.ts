import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type BlobFact, digestOf, mediaTypes, pipe } from '@kiwi/core'
import { memoryImages, testContext } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ociRegistry } from './registry.js'
import { serveRegistry } from './server/index.js'
import { chunksOf, collect, randomImage, temporaryDirectory } from './testing/image.js'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let server: Awaited<ReturnType<typeof serveRegistry>>
let registry: ReturnType<typeof ociRegistry>
beforeEach(async () => {
  directory = await temporaryDirectory()
  server = await serveRegistry({ directory: directory.path })
  registry = ociRegistry({ host: server.address, plainHttp: true })
})
afterEach(async () => {
  await registry[Symbol.asyncDispose]()
  await server.close()
  await directory[Symbol.asyncDispose]()
})

const states = (context: ReturnType<typeof testContext>) =>
  context.facts.filter((fact): fact is BlobFact => fact.type === 'blob').map(({ state }) => state)
const mediaType = mediaTypes.layerGzip
const describeBytes = (bytes: Uint8Array) => ({ digest: digestOf(bytes), size: bytes.byteLength })
const openUploads = () => readdir(join(directory.path, 'uploads'))

describe('a registry', () => {
  test('gives back the image that was pushed', async () => {
    const context = testContext()
    const image = randomImage({ layers: 6 })
    expect(await pipe(image, registry.sink('team/web'), { tag: 'v1' }, context)).toEqual(image.root)
    expect(await registry.resolve({ repository: 'team/web', reference: 'v1' }, context)).toEqual(image.root)
    const source = await registry.source({ repository: 'team/web', reference: image.root.digest }, context)
    const copy = memoryImages()
    await pipe(source, copy.sink, { tag: 'copy' }, context)
    expect(copy.contents.size).toBe(8)
    for (const [digest, bytes] of copy.contents) expect(digestOf(bytes)).toBe(digest)
  })

  test('says undefined for a tag, a digest and a repository that are not there', async () => {
    const context = testContext()
    await pipe(randomImage(), registry.sink('web'), { tag: 'v1' }, context)
    expect(await registry.resolve({ repository: 'web', reference: 'v2' }, context)).toBeUndefined()
    const digest = digestOf(Buffer.from('nothing'))
    expect(await registry.resolve({ repository: 'web', reference: digest }, context)).toBeUndefined()
    expect(await registry.resolve({ repository: 'nobody/nothing', reference: 'v1' }, context)).toBeUndefined()
    await expect(registry.source({ repository: 'web', reference: 'v2' }, context)).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
      message: `there is no ${server.address}/web:v2`,
    })
  })

  test('refuses malformed names before it asks', async () => {
    const place = { repository: 'web', reference: '../v1' }
    await expect(registry.resolve(place, testContext())).rejects.toMatchObject({ code: 'IMAGE_REFERENCE_INVALID' })
    expect(() => registry.sink('Web')).toThrow(expect.objectContaining({ code: 'IMAGE_REFERENCE_INVALID' }))
    expect(() => ociRegistry({ host: 'https://example.com' })).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    )
    expect(() => ociRegistry({ host: 'user:pw@example.com' })).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    )
  })

  test('has an address that engines can pull, with the names of Docker Hub', async () => {
    expect(registry.address('team/web')).toBe(`${server.address}/team/web`)
    await using hub = ociRegistry({ host: 'index.docker.io' })
    expect([hub.address('nginx'), hub.address('ana/web')]).toEqual(['docker.io/library/nginx', 'docker.io/ana/web'])
  })

  test('tells in a probe whether it answers', async () => {
    expect(await registry.probe(testContext())).toEqual({
      ok: true,
      summary: `${server.address} answers`,
      details: { host: server.address, version: 'registry/2.0', authentication: 'none' },
    })
    await server.close()
    expect(await registry.probe(testContext())).toMatchObject({
      ok: false,
      summary: `${server.address} cannot be reached: nothing listens there`,
    })
  })

  test('proves rights without leaving anything behind', async () => {
    await registry.check('web', 'push', testContext())
    await registry.check('web', 'pull', testContext())
    expect(await openUploads()).toEqual([])
  })
})

describe('a push', () => {
  test('asks for a blob once, and not again for the next image', async () => {
    const image = randomImage()
    const sink = registry.sink('web')
    await pipe(image, sink, { tag: 'v1' }, testContext())
    await server.close()
    for (const layer of image.layers) expect(await sink.has(layer, testContext())).toBe(true)
  })

  test('mounts what another repository of the registry has', async () => {
    const image = randomImage()
    const context = testContext()
    await pipe(image, registry.sink('base'), { tag: 'v1' }, context)
    const source = await registry.source({ repository: 'base', reference: 'v1' }, context)
    const push = testContext()
    await pipe(source, registry.sink('web'), { tag: 'v1' }, push)
    expect(states(push)).toEqual(['mounted', 'mounted', 'mounted'])
  })

  test('sends what it hoped to mount when the registry does not have it there', async () => {
    const bytes = randomBytes(100)
    const mountFrom = { registry: server.address, repository: 'elsewhere' }
    const upload = { mediaType, expected: describeBytes(bytes), mountFrom, open: () => chunksOf(bytes) }
    const context = testContext()
    await registry.sink('web').blob(upload, context)
    expect(states(context)).toEqual(['done'])
    expect(await openUploads()).toEqual([])
  })

  test('streams a blob whose digest is not known beforehand', async () => {
    const parts = Array.from({ length: 40 }, () => randomBytes(100_000))
    const stored = await registry.sink('web').blob({ mediaType, open: () => chunksOf(...parts) }, testContext())
    expect(stored).toEqual({ mediaType, ...describeBytes(Buffer.concat(parts)) })
    expect(await registry.sink('web').has(stored, testContext())).toBe(true)
  })

  test('streams a large blob whose size is known', async () => {
    const bytes = randomBytes(5_000_000)
    const upload = {
      mediaType,
      expected: describeBytes(bytes),
      open: () => chunksOf(bytes.subarray(0, 9), bytes.subarray(9)),
    }
    expect(await registry.sink('web').blob(upload, testContext())).toEqual({ mediaType, ...describeBytes(bytes) })
  })

  test('takes an empty blob', async () => {
    const empty = new Uint8Array()
    const sink = registry.sink('web')
    const known = await sink.blob({ mediaType, expected: describeBytes(empty), open: () => chunksOf() }, testContext())
    expect(await registry.sink('other').blob({ mediaType, open: () => chunksOf() }, testContext())).toEqual(known)
  })

  test.each([100, 3_000_000])(
    'rejects %d bytes that are not what was expected, and cancels the upload',
    async (size) => {
      const expected = describeBytes(randomBytes(size))
      const upload = { mediaType, expected, open: () => chunksOf(randomBytes(size)) }
      await expect(registry.sink('web').blob(upload, testContext())).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
      expect(await openUploads()).toEqual([])
      expect(await registry.sink('web').has({ mediaType, ...expected }, testContext())).toBe(false)
    },
  )

  test('passes on the failure of what it reads from, and cancels the upload', async () => {
    const failure = new Error('the builder failed')
    const open = async function* () {
      yield randomBytes(200_000)
      throw failure
    }
    await expect(registry.sink('web').blob({ mediaType, open }, testContext())).rejects.toBe(failure)
    expect(await openUploads()).toEqual([])
  })

  test('that is cancelled rejects with the reason, and leaves no upload behind', async () => {
    const controller = new AbortController()
    const reason = new Error('someone asked for it')
    const open = async function* () {
      yield randomBytes(200_000)
      controller.abort(reason)
      await new Promise((resolve) => setTimeout(resolve, 50))
      yield randomBytes(200_000)
    }
    const context = testContext({ signal: controller.signal })
    await expect(registry.sink('web').blob({ mediaType, open }, context)).rejects.toBe(reason)
    expect(await openUploads()).toEqual([])
    await expect(registry.resolve({ repository: 'web', reference: 'v1' }, context)).rejects.toBe(reason)
  })

  test('sends a blob again that the registry has lost since', async () => {
    const image = randomImage({ layers: 1 })
    const sink = registry.sink('web')
    await pipe(image, sink, { tag: 'v1' }, testContext())
    const [layer] = image.layers
    if (!layer) throw new Error('no layer')
    await fetch(`http://${server.address}/v2/web/blobs/${layer.digest}`, { method: 'DELETE' })
    const bytes = await image.manifest(image.root, testContext().signal)
    const options = { mediaType: image.root.mediaType, tag: 'v2' }
    await expect(sink.manifest(bytes, options, testContext())).rejects.toMatchObject({
      message: `cannot push to ${server.address}/web: ${server.address} answers 400: the repository lacks a part of the manifest`,
    })
    const context = testContext()
    await pipe(image, sink, { tag: 'v2' }, context)
    expect(states(context).toSorted()).toEqual(['done', 'exists'])
  })
})

describe('a pull', () => {
  test('can begin in the middle of a blob', async () => {
    const context = testContext()
    const bytes = randomBytes(1000)
    const stored = await registry.sink('web').blob({ mediaType, open: () => chunksOf(bytes) }, context)
    await pipe(randomImage(), registry.sink('web'), { tag: 'v1' }, context)
    const source = await registry.source({ repository: 'web', reference: 'v1' }, context)
    const { signal } = context
    expect(await collect(source.blob(stored, { offsetBytes: 400, signal }))).toEqual(bytes.subarray(400))
  })

  test('takes what a mirror has from there, and the rest from the registry', async () => {
    const context = testContext()
    await using other = await temporaryDirectory()
    await using mirrorServer = await serveRegistry({ directory: other.path })
    const mirror = { host: mirrorServer.address, plainHttp: true }
    const mirrored = randomImage()
    await using direct = ociRegistry(mirror)
    await pipe(mirrored, direct.sink('base'), { tag: 'v1' }, context)
    const own = randomImage()
    await pipe(own, registry.sink('web'), { tag: 'v1' }, context)
    const gone = { host: '127.0.0.1:9', plainHttp: true }
    await using both = ociRegistry({ host: server.address, plainHttp: true, mirrors: [gone, mirror] })
    expect((await both.source({ repository: 'base', reference: 'v1' }, context)).origin?.registry).toBe(mirror.host)
    expect((await both.source({ repository: 'web', reference: 'v1' }, context)).origin?.registry).toBe(server.address)
    expect(both.address('base')).toBe(`${server.address}/base`)
    expect(context.facts.find((fact) => fact.type === 'choice')).toMatchObject({
      value: mirror.host,
      because: '127.0.0.1:9 cannot be reached: nothing listens there',
    })
  })

  test('asks a mirror of Docker Hub by the names of Docker Hub', async () => {
    const context = testContext()
    await pipe(randomImage(), registry.sink('library/node'), { tag: '24-slim' }, context)
    await using hub = ociRegistry({ host: 'docker.io', mirrors: [{ host: server.address, plainHttp: true }] })
    const source = await hub.source({ repository: 'node', reference: '24-slim' }, context)
    expect(source.origin).toEqual({ registry: server.address, repository: 'library/node' })
    const copy = memoryImages()
    await pipe(source, copy.sink, {}, context)
    expect(copy.contents.size).toBe(4)
  })
})

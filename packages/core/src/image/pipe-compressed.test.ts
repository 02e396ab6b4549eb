import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Descriptor, ImageSource } from '../contracts/v1/image.js'
import { testContext } from '../testing/context.js'
import { memoryImages } from '../testing/memory-image.js'
import { digestOf } from './digest.js'
import { type LayerMemory, layerMemory } from './layer-memory.js'
import { type OciLayout, ociLayout } from './layout.js'
import { mediaTypes, parseIndex, parseManifest } from './manifest.js'
import { pipe } from './pipe.js'

const context = testContext()
const expand = { gzip: gunzipSync, zstd: zstdDecompressSync }
let home: string
let layout: OciLayout

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'kiwi-pipe-compressed-'))
  layout = ociLayout(join(home, 'layout'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const blob = (content: Uint8Array, mediaType: string) =>
  layout.sink.blob(
    {
      mediaType,
      async *open() {
        yield content
      },
    },
    context,
  )

async function image(...texts: string[]): Promise<Descriptor> {
  const layers: Descriptor[] = []
  for (const text of texts) layers.push(await blob(Buffer.from(text.repeat(5000)), mediaTypes.layer))
  layers.push(await blob(Buffer.from('packed already'), mediaTypes.layerGzip))
  const config = await blob(Buffer.from('{}'), mediaTypes.config)
  const annotated = layers.map((layer, index) => ({ ...layer, annotations: { index: `${index}` } }))
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: annotated, artifactType: 'kept' }))
  return layout.sink.manifest(bytes, { mediaType: mediaTypes.manifest }, context)
}

/** Which blobs were opened, in order. */
function watched(source: ImageSource): { source: ImageSource; opened: string[] } {
  const opened: string[] = []
  const blob: ImageSource['blob'] = (descriptor, options) => {
    opened.push(descriptor.digest)
    return source.blob(descriptor, options)
  }
  return { source: { ...source, blob }, opened }
}

describe.each(['gzip', 'zstd'] as const)('an image of plain layers, with %s', (method) => {
  it('is pushed in one pass, and its manifest names what became of the layers', async () => {
    const root = await image('a', 'b')
    const { source, opened } = watched(layout.source(root))
    const registry = memoryImages()
    const pushed = await pipe(source, registry.sink, { tag: 'v1', compression: { method } }, context)
    expect(registry.tags.get('v1')).toEqual(pushed)
    const before = parseManifest(await layout.source(root).manifest(root, context.signal))
    const bytes = registry.contents.get(pushed.digest) ?? new Uint8Array()
    const after = parseManifest(bytes)
    expect(opened.toSorted()).toEqual([...before.layers, before.config].map(({ digest }) => digest).toSorted())
    expect(after.config).toEqual(before.config)
    expect(after.layers[2]).toEqual(before.layers[2])
    expect(JSON.parse(Buffer.from(bytes).toString())).toMatchObject({ schemaVersion: 2, artifactType: 'kept' })
    for (const [index, layer] of after.layers.slice(0, 2).entries()) {
      expect(layer.mediaType).toBe(`application/vnd.oci.image.layer.v1.tar+${method}`)
      expect(layer.annotations).toEqual({ index: `${index}` })
      const content = registry.contents.get(layer.digest) ?? new Uint8Array()
      expect(content.byteLength).toBe(layer.size)
      expect(digestOf(expand[method](content))).toBe(before.layers[index]?.digest)
    }
  })

  it.each(['a Map', 'a file'])('does not compress again what %s remembers and the sink still has', async (kind) => {
    const file = join(home, 'state', 'layers.json')
    const kept = new Map<string, Descriptor>()
    const memory = (): LayerMemory => (kind === 'a Map' ? kept : layerMemory(file))
    const push = async (root: Descriptor, to = registry) => {
      const { source, opened } = watched(layout.source(root))
      const pushed = await pipe(source, to.sink, { tag: 'v', compression: { method, memory: memory() } }, context)
      return { pushed, opened }
    }
    const registry = memoryImages()
    const first = await push(await image('a', 'b'))
    const again = await push(await image('a', 'b'))
    expect(again.pushed).toEqual(first.pushed)
    expect(again.opened).toEqual([])
    const changed = await push(await image('a', 'c'))
    expect(changed.opened).toEqual([digestOf(Buffer.from('c'.repeat(5000)))])
    const elsewhere = await push(await image('a', 'b'), memoryImages())
    expect(elsewhere.pushed).toEqual(first.pushed)
    expect(elsewhere.opened).toHaveLength(4)
    const other = await image('a', 'b')
    const { source, opened } = watched(layout.source(other))
    await pipe(source, registry.sink, { compression: { method, level: 9, memory: memory() } }, context)
    expect(opened).toHaveLength(2)
  })

  it('is rewritten within an index', async () => {
    const child = await image('a')
    const platform = { os: 'linux', architecture: 'arm64' }
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [{ ...child, platform }] }))
    const root = await layout.sink.manifest(index, { mediaType: mediaTypes.index }, context)
    const target = ociLayout(join(home, 'target'))
    const pushed = await pipe(layout.source(root), target.sink, { tag: 'all', compression: { method } }, context)
    expect((await target.roots()).map(({ digest }) => digest)).toEqual([pushed.digest])
    const read = target.source(pushed)
    const [only] = parseIndex(await read.manifest(pushed, context.signal))
    expect(only).toMatchObject({ platform })
    if (!only) throw new Error('the index is empty')
    const { layers } = parseManifest(await read.manifest(only, context.signal))
    expect(layers.map(({ mediaType }) => mediaType)).toEqual([
      `application/vnd.oci.image.layer.v1.tar+${method}`,
      mediaTypes.layerGzip,
    ])
  })
})

describe('a sink that can retag', () => {
  it('is asked with the rewritten manifest when all of it is remembered', async () => {
    const root = await image('a', 'b')
    const registry = memoryImages()
    const memory = new Map<string, Descriptor>()
    const compression = { method: 'gzip', memory } as const
    const pushed = await pipe(layout.source(root), registry.sink, { compression }, context)
    const { source, opened } = watched(layout.source(root))
    const asked: string[] = []
    const sink = {
      ...registry.sink,
      has: () => Promise.reject(new Error('nothing else is asked')),
      async retag(bytes: Uint8Array) {
        asked.push(digestOf(bytes))
        return pushed
      },
    }
    expect(await pipe(source, sink, { tag: 'v2', compression }, context)).toEqual(pushed)
    expect(asked).toEqual([pushed.digest])
    expect(opened).toEqual([])
  })
})

describe('a layer', () => {
  it('that is damaged is not stored, and nothing names it', async () => {
    const root = await image('a')
    writeFileSync(layout.path(digestOf(Buffer.from('a'.repeat(5000)))), 'x'.repeat(5000))
    const registry = memoryImages()
    const memory = new Map<string, Descriptor>()
    const options = { tag: 'v1', compression: { method: 'gzip', memory } } as const
    await expect(pipe(layout.source(root), registry.sink, options, context)).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
    expect(registry.tags.size).toBe(0)
    expect(memory.size).toBe(0)
  })

  it('is compressed again where the memory cannot be read, which begins anew', async () => {
    const root = await image('a')
    const file = join(home, 'layers.json')
    writeFileSync(file, '{ half')
    const registry = memoryImages()
    const options = { compression: { method: 'gzip', memory: layerMemory(file) } } as const
    const first = await pipe(layout.source(root), registry.sink, options, context)
    const { source, opened } = watched(layout.source(root))
    expect(await pipe(source, registry.sink, options, context)).toEqual(first)
    expect(opened).toEqual([])
  })
})

import { createHash } from 'node:crypto'
import { readdir, rename, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf, mediaTypes, pipe } from '@kiwi/core'
import { registryKit, testContext } from '@kiwi/core/testing'
import { afterAll, describe, expect, it, test } from 'vitest'
import { chunksOf, randomImage, temporaryDirectory } from '../testing/image.js'
import { embeddedRegistry } from './index.js'

const hourMs = 60 * 60 * 1000

async function opened() {
  const directory = await temporaryDirectory()
  const registry = embeddedRegistry({ directory: directory.path })
  const context = testContext()
  const blobs = () => readdir(join(directory.path, 'blobs', 'sha256'))
  return {
    registry,
    context,
    path: directory.path,
    blobs,
    push: async (repository: string, tag?: string) => {
      const image = randomImage({ layers: 1, layerBytes: 1000 })
      await pipe(image, registry.sink(repository), { tag }, context)
      return image
    },
    /** As if everything had been written that long ago. */
    async age(ms = 2 * hourMs) {
      const then = new Date(Date.now() - ms)
      for (const entry of await readdir(directory.path, { recursive: true, withFileTypes: true })) {
        if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), then, then).catch(() => undefined) // swept meanwhile
      }
    },
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
}

describe('garbage collection', () => {
  test('frees what a removed image had alone, and nothing that another repository shares', async () => {
    await using at = await opened()
    const { registry, context } = at
    const kept = await at.push('one', 'v1')
    const gone = await at.push('one', 'v2')
    await pipe(gone, registry.sink('deep/er/two'), { tag: 'v2' }, context)
    await registry.remove({ repository: 'one', reference: gone.root.digest }, context)
    await at.age()
    expect(await registry.collectGarbage({ olderThanMs: hourMs })).toEqual({ bytes: 0, blobs: 0, links: 1 })
    const source = await registry.source({ repository: 'deep/er/two', reference: 'v2' }, context)
    await registry.remove({ repository: 'deep/er/two', reference: 'v2' }, context)
    expect((await registry.collectGarbage({ olderThanMs: hourMs })).blobs).toBe(0) // untagged is not unneeded
    await registry.remove({ repository: 'deep/er/two', reference: source.root.digest }, context)
    const layer = gone.layers[0]?.size ?? 0
    expect(await registry.collectGarbage({ olderThanMs: hourMs })).toEqual({
      bytes: layer + gone.root.size,
      blobs: 2, // both images have the same configuration
      links: 2,
    })
    await pipe(await registry.source({ repository: 'one', reference: 'v1' }, context), memory(), {}, context)
    expect(await registry.resolve({ repository: 'one', reference: 'v1' }, context)).toEqual(kept.root)
    expect(await at.blobs()).toHaveLength(3)
  })

  test('leaves alone what a push has written or asked for a moment ago', async () => {
    await using at = await opened()
    const { registry, context } = at
    const sink = registry.sink('web')
    const old = await sink.blob({ mediaType: mediaTypes.layerGzip, open: () => chunksOf('old') }, context)
    await sink.blob({ mediaType: mediaTypes.layerGzip, open: () => chunksOf('unused') }, context)
    await at.age()
    await sink.blob({ mediaType: mediaTypes.layerGzip, open: () => chunksOf('new') }, context)
    expect(await sink.has(old, context)).toBe(true)
    expect(await registry.collectGarbage({ olderThanMs: hourMs })).toEqual({ bytes: 6, blobs: 1, links: 1 })
    expect(await sink.has(old, context)).toBe(true)
    expect(await at.blobs()).toHaveLength(2)
  })

  test('removes what processes that died have left, and gives back what they had set aside and is wanted', async () => {
    await using at = await opened()
    const image = await at.push('web', 'v1')
    const blob = (name: string) => join(at.path, 'blobs', 'sha256', name)
    await writeFile(blob('.0000.part'), 'half')
    await at.age()
    const name = image.layers[0]?.digest.slice(7) ?? ''
    await rename(blob(name), blob(`.swept-${name}`))
    await utimes(blob(`.swept-${name}`), new Date(), new Date())
    expect(await at.registry.collectGarbage({ olderThanMs: hourMs })).toEqual({ bytes: 4, blobs: 0, links: 0 })
    expect((await stat(blob(name))).size).toBe(1000)
    expect((await at.blobs()).filter((found) => found.startsWith('.'))).toEqual([])
  })

  test('removes nothing when it cannot tell what a manifest needs', async () => {
    await using at = await opened()
    const { root } = await at.push('web', 'v1')
    const unneeded = createHash('sha256').update('x').digest('hex')
    await writeFile(join(at.path, 'blobs', 'sha256', unneeded), 'x')
    await writeFile(join(at.path, 'blobs', ...root.digest.split(':')), 'damaged')
    await at.age()
    await expect(at.registry.collectGarbage({ olderThanMs: 0 })).rejects.toMatchObject({ code: 'REGISTRY_FAILED' })
    expect(await at.blobs()).toContain(unneeded)
  })

  test('running all the time in two processes loses nothing of what is pushed meanwhile', async () => {
    await using at = await opened()
    await using other = embeddedRegistry({ directory: at.path })
    const { registry, context } = at
    let pushing = true
    const collect = async (from: typeof registry) => {
      while (pushing) await from.collectGarbage({ olderThanMs: 5000 })
    }
    const collecting = [collect(registry), collect(other)]
    const images = []
    for (let index = 0; index < 12; index += 1) {
      const image = await at.push('web', `v${index}`)
      images.push(image)
      await registry.remove({ repository: 'web', reference: image.root.digest }, context)
      await at.age() // what was removed may go at once,
      await pipe(image, other.sink('web'), { tag: `v${index}` }, context) // and is pushed again
    }
    pushing = false
    await Promise.all(collecting)
    for (const [index, { root }] of images.entries()) {
      const source = await registry.source({ repository: 'web', reference: `v${index}` }, context)
      expect(await pipe(source, memory(), {}, context)).toEqual(root)
    }
  })
})

test('says which images the folder keeps, and which it does not have', async () => {
  await using at = await opened()
  const { root } = await at.push('web', 'v1')
  const missing = digestOf(Buffer.from('missing'))
  expect(await at.registry.protect('web', [root.digest, missing, 'sha256:short'], at.context)).toEqual({
    by: 'folder',
    kept: [root.digest],
    notKept: [missing, 'sha256:short'].map((digest) => ({ digest, because: 'the folder does not have it' })),
  })
})

describe('is a registry:', async () => {
  const directory = await temporaryDirectory()
  const registry = embeddedRegistry({ directory: directory.path })
  await registry.listen()
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await directory[Symbol.asyncDispose]()
  })
  const damage = (digest: string) => writeFile(join(directory.path, 'blobs', ...digest.split(':')), 'damaged')
  for (const one of registryKit({ registry: () => registry, damage })) it(one.name, one.run)
})

/** Reads everything, keeps nothing. */
function memory() {
  return {
    has: async () => false,
    async blob({
      mediaType,
      expected,
      open,
    }: {
      mediaType: string
      expected?: { digest: string; size: number } | undefined
      open(offset: number): AsyncIterable<Uint8Array>
    }) {
      for await (const _ of open(0));
      if (!expected) throw new Error('not known')
      return { mediaType, ...expected }
    },
    manifest: async (bytes: Uint8Array, { mediaType }: { mediaType: string }) => ({
      mediaType,
      digest: digestOf(bytes),
      size: bytes.byteLength,
    }),
  }
}

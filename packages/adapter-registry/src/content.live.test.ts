import { randomUUID } from 'node:crypto'
import { digestOf, mediaTypes, pipe } from '@kiwi/core'
import { registryKit, testContext } from '@kiwi/core/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { pushArtifact } from './artifact.js'
import { ociRegistry } from './registry.js'
import { randomImage } from './testing/image.js'

// CNCF distribution 2.8.2: deletes by digest only, ignores pages, knows no referrers.
const host = process.env.KIWI_LIVE_REGISTRY
const tokenHost = process.env.KIWI_LIVE_REGISTRY_TOKEN
const prefix = `kiwi-live/${randomUUID()}/`
const repository = `${prefix}web`
const context = () => testContext({ secrets: { KIWI: 's3cret-P@ss', READER: 'r3ad-0nly' } })
const opened: AsyncDisposable[] = []
afterAll(async () => {
  for (const one of opened) await one[Symbol.asyncDispose]()
})

function open(at: string | undefined, username?: 'kiwi' | 'reader') {
  const credentials = username && { username, password: { secret: username === 'kiwi' ? 'KIWI' : 'READER' } }
  const registry = ociRegistry({ host: at ?? '', plainHttp: true, credentials })
  opened.push(registry)
  return registry
}

describe.skipIf(host === undefined)('CNCF distribution', () => {
  describe('keeps the contract', () => {
    for (const one of registryKit({ registry: () => open(host), prefix, tidy: true })) test(one.name, one.run)
  })

  test('loses a tag and keeps the image that other tags name', async () => {
    const registry = open(host)
    const image = randomImage({ layers: 1 })
    for (const tag of ['v1', 'v2']) await pipe(image, registry.sink(repository), { tag }, context())
    expect(await registry.remove({ repository, reference: 'v1' }, context())).toBe(true)
    expect(await registry.remove({ repository, reference: 'v1' }, context())).toBe(false)
    expect(await registry.resolve({ repository, reference: 'v1' }, context())).toBeUndefined()
    expect(await registry.resolve({ repository, reference: 'v2' }, context())).toEqual(image.root)
    expect(await Array.fromAsync(registry.tags(repository, context()))).toEqual(['v2'])
  })

  test('keeps the digests named by tags of Kiwi’s own, and lets go what is not named any more', async () => {
    const registry = open(host)
    const other = `${prefix}kept`
    const images = [randomImage({ layers: 1 }), randomImage({ layers: 1 })] as const
    for (const image of images) await pipe(image, registry.sink(other), { tag: 'latest' }, context())
    const [first, second] = images.map(({ root }) => root.digest)
    const missing = digestOf(Buffer.from('missing'))
    expect(await registry.protect(other, [first ?? '', missing], context())).toEqual({
      by: 'keep-tags',
      kept: [first],
      notKept: [{ digest: missing, because: 'the registry does not have it' }],
    })
    const tags = async () => (await Array.fromAsync(registry.tags(other, context()))).sort()
    expect(await tags()).toEqual([keepTag(first), 'latest'])
    await registry.protect(other, [second ?? ''], context())
    expect(await tags()).toEqual([keepTag(second), 'latest'])
    expect(await registry.resolve({ repository: other, reference: first ?? '' }, context())).toBeDefined()
  })

  test('has referrers by the fallback tag', async () => {
    const registry = open(host)
    const { root } = randomImage()
    const made = await Promise.all(
      ['text/one', 'text/two', 'text/two'].map((artifactType, index) =>
        pushArtifact(
          registry.sink(repository),
          { artifactType, blobs: [], subject: root, annotations: { index: String(index) } },
          context(),
        ),
      ),
    )
    const list = (artifactType?: string) =>
      Array.fromAsync(registry.referrers({ repository, digest: root.digest }, { artifactType }, context()))
    expect((await list()).map(({ digest }) => digest).sort()).toEqual(made.map(({ digest }) => digest).sort())
    expect(await list('text/one')).toEqual([
      { ...made[0], mediaType: mediaTypes.manifest, artifactType: 'text/one', annotations: { index: '0' } },
    ])
    await registry.remove({ repository, reference: made[0]?.digest ?? '' }, context())
    expect(await list('text/one')).toEqual([])
    expect(await list()).toHaveLength(2)
  })

  test('takes an artifact, with what it holds', async () => {
    const registry = open(host)
    const content = Buffer.from('a bill of materials')
    const blobs = [{ mediaType: 'text/plain', content }]
    const stored = await pushArtifact(
      registry.sink(repository),
      { artifactType: 'text/sbom', blobs, tag: 'sbom' },
      context(),
    )
    const source = await registry.source({ repository, reference: 'sbom' }, context())
    expect(source.root).toEqual(stored)
    const manifest = JSON.parse(Buffer.from(await source.manifest(stored, context().signal)).toString())
    expect(manifest).toMatchObject({ artifactType: 'text/sbom', layers: [{ digest: digestOf(content) }] })
  })
})

describe.skipIf(tokenHost === undefined)('CNCF distribution with a token server', () => {
  test('asks for the right to delete, and says when it is lacking', async () => {
    const owner = open(tokenHost, 'kiwi')
    const image = randomImage({ layers: 1 })
    await pipe(image, owner.sink(repository), { tag: 'v1' }, context())
    const place = { repository, reference: image.root.digest }
    await expect(open(tokenHost, 'reader').remove(place, context())).rejects.toMatchObject({ code: 'REGISTRY_DENIED' })
    expect(await owner.remove(place, context())).toBe(true)
  })
})

function keepTag(digest: string | undefined): string {
  return `kiwi-keep-${digest?.slice(7, 19)}`
}

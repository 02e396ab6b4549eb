import { randomBytes, randomUUID } from 'node:crypto'
import { digestOf, mediaTypes, pipe } from '@kiwi/core'
import { memoryImages, testContext } from '@kiwi/core/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { type OciRegistryOptions, ociRegistry } from './registry.js'
import { chunksOf, randomImage } from './testing/image.js'

// Real registries: open; behind a password; behind a token server, with a user who may only pull.
const { KIWI_LIVE_REGISTRY, KIWI_LIVE_REGISTRY_PASSWORD, KIWI_LIVE_REGISTRY_TOKEN } = process.env
const secrets = { KIWI: 's3cret-P@ss', READER: 'r3ad-0nly', WRONG: 'not-the-password' }
const kiwi = { username: 'kiwi', password: { secret: 'KIWI' } }
const context = () => testContext({ secrets })
/** Of this run only, so that nothing is there yet. */
const repository = `kiwi-live/${randomUUID()}`
const opened: AsyncDisposable[] = []
afterAll(async () => {
  for (const one of opened) await one[Symbol.asyncDispose]()
})

function open(host: string | undefined, credentials?: OciRegistryOptions['credentials']) {
  const registry = ociRegistry({ host: host ?? '', plainHttp: true, credentials })
  opened.push(registry)
  return registry
}

function pushesAndPulls(host: string | undefined, credentials?: OciRegistryOptions['credentials']) {
  test('pushes an image and pulls the same', async () => {
    const registry = open(host, credentials)
    await registry.check(repository, 'push', context())
    const image = randomImage({ layers: 5, layerBytes: 2_000_000 })
    await pipe(image, registry.sink(repository), { tag: 'v1' }, context())
    const other = open(host, credentials) // remembers nothing
    expect(await other.resolve({ repository, reference: 'v1' }, context())).toEqual(image.root)
    const source = await other.source({ repository, reference: image.root.digest }, context())
    const copy = memoryImages()
    await pipe(source, copy.sink, {}, context())
    expect([...copy.contents].filter(([digest, bytes]) => digestOf(bytes) !== digest)).toEqual([])
    expect(copy.contents.size).toBe(7)
  })

  test('streams a blob whose digest is not known beforehand', async () => {
    const sink = open(host, credentials).sink(repository)
    const bytes = randomBytes(3_000_000)
    const content = () => chunksOf(bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000))
    const stored = await sink.blob({ mediaType: mediaTypes.layerGzip, open: content }, context())
    expect(stored).toMatchObject({ digest: digestOf(bytes), size: bytes.byteLength })
    expect(await open(host, credentials).sink(repository).has(stored, context())).toBe(true)
  })

  test('mounts a blob of another repository', async () => {
    const registry = open(host, credentials)
    const image = randomImage({ layers: 1 })
    await pipe(image, registry.sink(repository), { tag: 'base' }, context())
    const push = context()
    const source = await registry.source({ repository, reference: 'base' }, push)
    await pipe(source, registry.sink(`${repository}-mounted`), { tag: 'v1' }, push)
    const states = push.facts.map((fact) => fact.type === 'blob' && fact.state)
    expect(states).toEqual(['mounted', 'mounted'])
  })

  test('says undefined for what is not there', async () => {
    const registry = open(host, credentials)
    expect(await registry.resolve({ repository, reference: 'nothing' }, context())).toBeUndefined()
    const nobody = { repository: `${repository}-nobody`, reference: 'v1' }
    expect(await registry.resolve(nobody, context())).toBeUndefined()
  })
}

describe.skipIf(!KIWI_LIVE_REGISTRY)('an open registry', () => {
  pushesAndPulls(KIWI_LIVE_REGISTRY)
})

describe.skipIf(!KIWI_LIVE_REGISTRY_PASSWORD)('a registry behind a password', () => {
  pushesAndPulls(KIWI_LIVE_REGISTRY_PASSWORD, kiwi)

  test('tells a wrong password and a missing one apart', async () => {
    const wrong = open(KIWI_LIVE_REGISTRY_PASSWORD, { username: 'kiwi', password: { secret: 'WRONG' } })
    await expect(wrong.check(repository, 'push', context())).rejects.toMatchObject({
      code: 'REGISTRY_UNAUTHORIZED',
      message: expect.stringContaining('refuses the user name or the password'),
    })
    await expect(open(KIWI_LIVE_REGISTRY_PASSWORD).check(repository, 'push', context())).rejects.toMatchObject({
      code: 'REGISTRY_UNAUTHORIZED',
      message: expect.stringContaining('none are configured'),
    })
  })
})

describe.skipIf(!KIWI_LIVE_REGISTRY_TOKEN)('a registry behind a token server', () => {
  pushesAndPulls(KIWI_LIVE_REGISTRY_TOKEN, kiwi)

  test('tells a wrong password', async () => {
    const wrong = open(KIWI_LIVE_REGISTRY_TOKEN, { username: 'kiwi', password: { secret: 'WRONG' } })
    await expect(wrong.check(repository, 'pull', context())).rejects.toMatchObject({ code: 'REGISTRY_UNAUTHORIZED' })
  })

  test('lets a reader pull, and proves that the reader may not push', async () => {
    const owner = open(KIWI_LIVE_REGISTRY_TOKEN, kiwi)
    const image = randomImage()
    await pipe(image, owner.sink(repository), { tag: 'read' }, context())
    const reader = open(KIWI_LIVE_REGISTRY_TOKEN, { username: 'reader', password: { secret: 'READER' } })
    await reader.check(repository, 'pull', context())
    expect(await reader.resolve({ repository, reference: 'read' }, context())).toEqual(image.root)
    await expect(reader.check(repository, 'push', context())).rejects.toMatchObject({ code: 'REGISTRY_DENIED' })
    const pushing = pipe(randomImage(), reader.sink(repository), { tag: 'v1' }, context())
    await expect(pushing).rejects.toMatchObject({ code: 'REGISTRY_DENIED' })
  })
})

import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKiwi, pipe, sqliteStore } from '@kiwi/core'
import { memoryBuilder, memoryImages, memoryRuntime, memorySource, testContext } from '@kiwi/core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ociRegistry } from './registry.js'

// CNCF distribution, which protects nothing by itself: releases are kept by tags of Kiwi's own.
const host = process.env.KIWI_LIVE_REGISTRY
const repository = `kiwi-live/${randomUUID()}/web`
const keepTag = (digest: string) => `kiwi-keep-${digest.slice(7, 19)}`

describe.skipIf(host === undefined)('a release in a CNCF distribution', () => {
  const directory = mkdtempSync(join(tmpdir(), 'kiwi-keep-tags-'))
  const source = memorySource({ directory })
  const registry = ociRegistry({ host: host ?? '', plainHttp: true })
  const context = testContext()
  const tags = async () => (await Array.fromAsync(registry.tags(repository, context))).sort()
  let kiwi: Awaited<ReturnType<typeof createKiwi>>
  beforeAll(async () => {
    kiwi = await createKiwi({
      builders: { memory: memoryBuilder() },
      registries: { live: registry },
      runtimes: { memory: memoryRuntime() },
      source: () => source,
      store: sqliteStore({ path: join(directory, 'kiwi.sqlite') }),
      directory,
    })
    await kiwi.services.register({
      name: 'web',
      source: { directory },
      image: { registry: 'live', repository, tag: 'latest' },
      environments: {
        production: { runtime: 'memory', replicas: 1, health: { type: 'tcp' }, publish: { protocol: 'tcp' } },
      },
    })
  })
  afterAll(async () => {
    await kiwi.close()
    await registry[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true })
  })

  async function released(text: string): Promise<string> {
    source.commit('main', { Dockerfile: `FROM scratch\nLABEL text=${text}\n` })
    const run = await kiwi.release('web', { environment: 'production', ref: 'main', by: 'ana' })
    return (await run.result).image?.digest ?? ''
  }

  test('is kept by a tag of its own, and can be pulled once its own tag names another or is removed', async () => {
    const first = await released('first')
    expect(await tags()).toEqual([keepTag(first), 'latest'].sort())
    const second = await released('second')
    await registry.remove({ repository, reference: 'latest' }, context)
    for (const digest of [first, second]) {
      expect((await registry.resolve({ repository, reference: keepTag(digest) }, context))?.digest).toBe(digest)
      const copy = memoryImages()
      await pipe(await registry.source({ repository, reference: digest }, context), copy.sink, {}, context)
      expect(copy.manifests.has(digest)).toBe(true)
    }
  })

  test('loses that tag once it is kept no more', async () => {
    const before = (await kiwi.history('web', 'production')).map(({ image }) => image?.digest ?? '')
    const later: string[] = []
    for (let count = 0; count < 9; count += 1) later.push(await released(`later-${count}`))
    const [first = '', ...kept] = [...before, ...later]
    expect(kept).toHaveLength(10)
    expect(await tags()).toEqual([...kept.map(keepTag), 'latest'].sort())
    expect(await tags()).not.toContain(keepTag(first))
  })
})

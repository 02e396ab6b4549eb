import { randomUUID } from 'node:crypto'
import { pipe } from '@kiwi/core'
import { memoryImages, testContext } from '@kiwi/core/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { randomImage } from '../testing/image.js'
import { dockerHub } from './index.js'

// A real account of Docker Hub, where one is given. Its token reads, writes and deletes in the repository:
//   KIWI_DOCKER_HUB_USER=acme KIWI_DOCKER_HUB_TOKEN=… KIWI_DOCKER_HUB_REPOSITORY=acme/kiwi-live
const { KIWI_DOCKER_HUB_USER = '', KIWI_DOCKER_HUB_TOKEN = '', KIWI_DOCKER_HUB_REPOSITORY = '' } = process.env
if (!KIWI_DOCKER_HUB_TOKEN) console.warn('docker hub: not run live, KIWI_DOCKER_HUB_TOKEN gives no access')

const repository = KIWI_DOCKER_HUB_REPOSITORY
const context = () => testContext({ secrets: { GIVEN: KIWI_DOCKER_HUB_TOKEN, WRONG: 'dckr_pat_not-the-token' } })
const opened: AsyncDisposable[] = []
afterAll(async () => {
  for (const one of opened) await one[Symbol.asyncDispose]()
})

function open(secret: 'GIVEN' | 'WRONG' = 'GIVEN') {
  const registry = dockerHub({ credentials: { username: KIWI_DOCKER_HUB_USER, password: { secret } } })
  opened.push(registry)
  return registry
}

describe.skipIf(!KIWI_DOCKER_HUB_TOKEN)('the real Docker Hub', () => {
  test('says how many pulls are left, and spends none', async () => {
    const before = await open().limits(context())
    expect((await open().limits(context())).remaining).toBe(before.remaining)
  })

  test('tells a wrong token and a namespace of others apart', async () => {
    await expect(open('WRONG').check(repository, 'push', context())).rejects.toMatchObject({
      code: 'REGISTRY_UNAUTHORIZED',
    })
    await expect(open().check('docker/kiwi-is-not-there', 'push', context())).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
    })
  })

  test('takes an image, gives it back, keeps it by a tag, and removes it', async () => {
    const registry = open()
    const tag = randomUUID()
    const image = randomImage({ layers: 1 })
    const { digest } = await pipe(image, registry.sink(repository), { tag }, context())
    const copy = memoryImages()
    await pipe(await registry.source({ repository, reference: tag }, context()), copy.sink, {}, context())
    expect(copy.contents.has(digest)).toBe(true)
    expect((await registry.protect?.(repository, [digest], context()))?.kept).toEqual([digest])
    await registry.protect?.(repository, [], context())
    expect(await registry.remove({ repository, reference: digest }, context())).toBe(true)
    expect(await registry.resolve({ repository, reference: tag }, context())).toBeUndefined()
  })
})

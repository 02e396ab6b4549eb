import { randomUUID } from 'node:crypto'
import { pipe } from '@kiwi/core'
import { memoryImages, testContext } from '@kiwi/core/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { randomImage } from '../testing/image.js'
import { type HarborOptions, harbor } from './index.js'

// A real Harbor, where one is given. Its user may push to the project, delete there, and sets immutability rules:
//   KIWI_HARBOR_URL=https://harbor.example.com KIWI_HARBOR_USER='robot$kiwi+live' KIWI_HARBOR_SECRET=… KIWI_HARBOR_PROJECT=kiwi
const { KIWI_HARBOR_URL, KIWI_HARBOR_USER = '', KIWI_HARBOR_SECRET = '', KIWI_HARBOR_PROJECT = 'kiwi' } = process.env
if (!KIWI_HARBOR_URL) console.warn('harbor: not run live, KIWI_HARBOR_URL names no Harbor')

const context = () => testContext({ secrets: { GIVEN: KIWI_HARBOR_SECRET, WRONG: 'not-the-Secret-0' } })
const repository = `${KIWI_HARBOR_PROJECT}/live/${randomUUID()}`
const opened: AsyncDisposable[] = []
afterAll(async () => {
  for (const one of opened) await one[Symbol.asyncDispose]()
})

function open(secret: 'GIVEN' | 'WRONG' = 'GIVEN') {
  const url = new URL(KIWI_HARBOR_URL ?? '')
  const credentials = { username: KIWI_HARBOR_USER, password: { secret } }
  const options: HarborOptions = { host: url.host, plainHttp: url.protocol === 'http:', credentials }
  const registry = harbor(options)
  opened.push(registry)
  return registry
}

describe.skipIf(!KIWI_HARBOR_URL)('a real Harbor', () => {
  test('says its version', async () => {
    expect(await open().probe(context())).toMatchObject({
      ok: true,
      details: { version: expect.stringMatching(/^v?2/) },
    })
  })

  test('tells a wrong password, a missing project and a name without project apart', async () => {
    const missing = `${randomUUID()}/web`
    await expect(open('WRONG').check(repository, 'push', context())).rejects.toMatchObject({
      code: 'REGISTRY_UNAUTHORIZED',
    })
    await expect(open().check(missing, 'push', context())).rejects.toMatchObject({ code: 'REGISTRY_PROJECT_MISSING' })
    await expect(open().check('web', 'push', context())).rejects.toMatchObject({ code: 'IMAGE_REFERENCE_INVALID' })
  })

  test('takes an image, gives it back, keeps it and removes it', async () => {
    const registry = open()
    await registry.check(repository, 'push', context())
    const image = randomImage({ layers: 2 })
    await pipe(image, registry.sink(repository), { tag: 'v1' }, context())
    const source = await open().source({ repository, reference: 'v1' }, context())
    const copy = memoryImages()
    await pipe(source, copy.sink, {}, context())
    expect(copy.contents.size).toBe(4)

    const { digest } = image.root
    const protection = await registry.protect(repository, [digest], context())
    expect(protection).toMatchObject({ kept: [digest], notKept: [] })
    if (protection.by === 'immutable-tags')
      await expect(registry.remove({ repository, reference: digest }, context())).rejects.toMatchObject({
        code: 'TAG_IMMUTABLE',
      })
    await registry.protect(repository, [], context())

    expect(await registry.remove({ repository, reference: 'v1' }, context())).toBe(true)
    expect(await registry.resolve({ repository, reference: digest }, context())).toMatchObject({ digest })
    expect(await registry.remove({ repository, reference: digest }, context())).toBe(true)
    expect(await registry.resolve({ repository, reference: digest }, context())).toBeUndefined()
  })
})

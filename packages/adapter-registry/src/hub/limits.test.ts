import { pipe } from '@kiwi/core'
import { memoryImages } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { limitsIn, sayLimits } from './limits.js'
import { context, type Opened, openedHub } from './testing/opened.js'

let hub: Opened
beforeEach(async () => {
  hub = await openedHub()
})
afterEach(() => hub[Symbol.asyncDispose]())

describe('the limits', () => {
  test('are told without a pull, however often they are asked for', async () => {
    const registry = hub.open('acme')
    const figures = { limit: 100, remaining: 100, windowSeconds: 21_600, source: '192.0.2.1' }
    for (let time = 0; time < 3; time++) expect(await registry.limits(context())).toEqual(figures)
    expect(hub.server.state.pulls).toBe(0)
  })

  test('are told to nobody in particular too', async () => {
    expect(await hub.open().limits(context())).toMatchObject({ limit: 100, remaining: 100 })
  })

  test('are none where Docker Hub names none', async () => {
    hub.server.state.limit = undefined
    const none = { limit: undefined, remaining: undefined, windowSeconds: undefined, source: undefined }
    expect(await hub.open('acme').limits(context())).toEqual(none)
  })

  test('are told when they are used up, and by the probe', async () => {
    Object.assign(hub.server.state, { limit: 7, pulls: 7 })
    expect(await hub.open('acme').limits(context())).toMatchObject({ limit: 7, remaining: 0 })
    expect((await hub.open('acme').probe(context())).details).toMatchObject({ pulls: '0 of 7 in 6 h' })
  })
})

test('a pull over the limit is refused with the figures and what to do', async () => {
  await hub.push('acme/web', 'v1')
  Object.assign(hub.server.state, { limit: 7, pulls: 7 })
  const pulling = async (username?: string) => {
    const source = await hub.open(username).source({ repository: 'acme/web', reference: 'v1' }, context())
    await pipe(source, memoryImages().sink, {}, context())
  }
  await expect(pulling('acme')).rejects.toMatchObject({
    code: 'RATE_LIMITED',
    message: expect.stringContaining('docker.io gives this account no more pulls for now (0 of 7 in 6 h)'),
  })
  await expect(pulling()).rejects.toMatchObject({
    message: expect.stringContaining('gives this address no more pulls'),
    hint: expect.stringContaining('Sign in'),
  })
})

test.each([
  ['100;w=21600', '20;w=21600', '20 of 100 in 6 h'],
  [' 200 ; w=5400', undefined, '200 in 1.5 h'],
  ['100', '3', '3 of 100'],
  [undefined, undefined, 'unlimited'],
  ['many', '-1', 'unlimited'],
])('headers %s and %s are read as: %s', (limit, remaining, said) => {
  const headers: Readonly<Record<string, string | undefined>> = {
    'ratelimit-limit': limit,
    'ratelimit-remaining': remaining,
  }
  expect(sayLimits(limitsIn((name) => headers[name]))).toBe(said)
})

import { registryKit } from '@kiwi/core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DockerHub, dockerHub } from './index.js'
import { type FakeHub, fakeHub } from './testing/fake-hub.js'

const secrets = { TOKEN: 'dckr_pat_Right-1' }
let server: FakeHub
let registry: DockerHub
beforeAll(async () => {
  server = await fakeHub({ acme: { secret: secrets.TOKEN, kind: 'user', token: 'admin' } })
  server.state.limit = undefined
  registry = dockerHub({ credentials: { username: 'acme', password: { secret: 'TOKEN' } } })
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

describe('Docker Hub keeps the contract of a registry', () => {
  for (const one of registryKit({ registry: () => registry, prefix: 'acme/', secrets })) test(one.name, one.run)

  test('with nothing that Docker does not describe, and nothing sent elsewhere', () => {
    expect(server.strange).toEqual([])
    expect(new Set(server.dialled)).toEqual(new Set(['203.0.113.1:443', '203.0.113.2:443', '203.0.113.3:443']))
  })
})

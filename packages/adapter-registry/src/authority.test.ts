import { mediaTypes } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { expect, test } from 'vitest'
import { ociRegistry } from './registry.js'
import { type FakeAnswer, fakeServer, jsonAnswer, type SeenRequest } from './testing/fake-server.js'

const digest = `sha256:${'0'.repeat(64)}`
const headers = { 'content-type': mediaTypes.manifest, 'docker-content-digest': digest, 'content-length': '2' }
const manifest: FakeAnswer = { status: 200, headers }
const place = { repository: 'web', reference: 'v1' }

async function setting(answer: (request: SeenRequest, tokens: number) => FakeAnswer) {
  let tokens = 0
  const server = await fakeServer((request) => {
    if (request.url.pathname === '/token') return jsonAnswer(200, { token: `t${++tokens}`, expires_in: 3600 })
    return answer(request, tokens)
  })
  const credentials = { username: 'kiwi', password: { secret: 'PASSWORD' } }
  const retry = { tries: 2, wait: async () => undefined }
  const registry = ociRegistry({ host: server.host, plainHttp: true, credentials, retry })
  const context = testContext({ secrets: { PASSWORD: 's3cret-P@ss' } })
  return {
    server,
    resolve: () => registry.resolve(place, context).catch((error: unknown) => error),
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

const challenge = ({ headers: { host } }: SeenRequest): FakeAnswer => ({
  status: 401,
  headers: { 'www-authenticate': ['Negotiate', `Bearer realm="http://${host}/token",service="s"`] },
})

test('a refusal without a challenge is looked up at /v2/, once', async () => {
  await using at = await setting((request) =>
    request.url.pathname === '/v2/' ? challenge(request) : request.headers.authorization ? manifest : { status: 401 },
  )
  expect(await at.resolve()).toMatchObject({ digest })
  expect(await at.resolve()).toMatchObject({ digest })
  expect(at.server.lines().filter((line) => line === 'GET /v2/')).toHaveLength(1)
  expect(at.server.lines().filter((line) => line === 'GET /token')).toHaveLength(1)
})

test('a token that ends before its time is renewed once, also when the refusal says nothing', async () => {
  let valid = 't1'
  await using at = await setting((request) => {
    const { authorization } = request.headers
    if (authorization === undefined) return challenge(request)
    return authorization === `Bearer ${valid}` ? manifest : { status: 401 }
  })
  expect(await at.resolve()).toMatchObject({ digest })
  valid = 't2'
  expect(await at.resolve()).toMatchObject({ digest })
  expect(at.server.lines().filter((line) => line === 'GET /token')).toHaveLength(2)
})

test('a refusal that nothing explains ends as one', async () => {
  await using at = await setting(() => ({ status: 401 }))
  expect(await at.resolve()).toMatchObject({ code: 'REGISTRY_UNAUTHORIZED' })
  expect(at.server.seen.length).toBeLessThan(6)
})

test('the scope that a refusal asks for comes first', async () => {
  await using at = await setting((request, tokens) => {
    if (request.headers.authorization && tokens > 1) return manifest
    const { status, headers: told } = challenge(request)
    const more = request.headers.authorization ? ',error="insufficient_scope",scope="repository:web:pull,extra"' : ''
    return { status, headers: { 'www-authenticate': `${told?.['www-authenticate']?.[1]}${more}` } }
  })
  await at.resolve()
  await at.resolve()
  const asked = at.server.seen.filter(({ url }) => url.pathname === '/token')
  expect(asked.at(1)?.url.searchParams.getAll('scope')).toEqual(['repository:web:pull,extra', 'repository:web:pull'])
})

test('a redirect to what is no address is the registry’s failure', async () => {
  await using at = await setting(() => ({ status: 307, headers: { location: 'http://[' } }))
  expect(await at.resolve()).toMatchObject({ code: 'REGISTRY_FAILED', retryable: false })
})

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

test('what was asked for beyond the scopes is asked for from then on, without being refused first', async () => {
  let given: readonly string[] = []
  await using at = await setting((request) => {
    const { authorization } = request.headers
    const asked = at.server.seen.filter(({ url }) => url.pathname === '/token').at(-1)
    given = asked?.url.searchParams.getAll('scope') ?? []
    if (authorization && given.includes('repository:base:pull')) return manifest
    const { status, headers: told } = challenge(request)
    const scope = ',scope="repository:web:pull repository:base:pull"'
    return { status, headers: { 'www-authenticate': `${told?.['www-authenticate']?.[1]}${scope}` } }
  })
  await at.resolve()
  const before = at.server.seen.length
  await at.resolve()
  expect(at.server.lines().slice(before)).toEqual(['HEAD /v2/web/manifests/v1'])
  expect(given).toEqual(['repository:base:pull', 'repository:web:pull'])
})

test('a scope that is covered already does not come before the one that covers it', async () => {
  const server = await fakeServer(({ url, headers: { authorization, host } }) => {
    if (url.pathname === '/token') return jsonAnswer(200, { token: 'good' })
    const asked = `Bearer realm="http://${host}/token",scope="repository:web:pull"`
    return authorization ? { status: 200 } : { status: 401, headers: { 'www-authenticate': asked } }
  })
  await using registry = ociRegistry({ host: server.host, plainHttp: true, retry: { tries: 1 } })
  await registry.check('web', 'push', testContext()).catch(() => undefined)
  const [token] = server.seen.filter(({ url }) => url.pathname === '/token')
  expect(token?.url.searchParams.getAll('scope')).toEqual(['repository:web:pull,push'])
  await server[Symbol.asyncDispose]()
})

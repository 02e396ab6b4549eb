import { KiwiError } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import nock from 'nock'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type DockerHub, dockerHub } from './index.js'

// Docker Hub's own host names with answers that its fake does not give: no packet is sent
const token = 'dckr_pat_Right-1'
const context = () => testContext({ secrets: { TOKEN: token } })
const repository = 'acme/web'
const place = { repository, reference: 'v1' }
const tagPath = '/v2/repositories/acme/web/tags/v1/'

let registry: DockerHub
beforeEach(() => {
  nock.disableNetConnect()
  const credentials = { username: 'acme', password: { secret: 'TOKEN' } }
  registry = dockerHub({ credentials, retry: { tries: 2, firstWaitMs: 1 } })
})
afterEach(async () => {
  const pending = nock.pendingMocks()
  await registry[Symbol.asyncDispose]()
  nock.cleanAll()
  nock.enableNetConnect()
  expect(pending).toEqual([])
})

const hub = () => nock('https://hub.docker.com')
const bearer = (value: string) => ({ reqheaders: { authorization: `Bearer ${value}` } })

function signsIn(value: string) {
  hub().post('/v2/auth/token', { identifier: 'acme', secret: token }).reply(200, { access_token: value })
}

/** The registry knows the user and denies it. */
function registryDenies() {
  const challenge = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"'
  nock('https://registry-1.docker.io')
    .post('/v2/acme/web/blobs/uploads/')
    .twice()
    .reply(401, {}, { 'www-authenticate': challenge })
  nock('https://auth.docker.io').get('/token').query(true).reply(200, { token: 'registry-token' })
}

test('signs in once for many calls', async () => {
  signsIn('t1')
  nock('https://hub.docker.com', bearer('t1')).delete(tagPath).times(3).reply(204)
  for (let time = 0; time < 3; time++) expect(await registry.remove(place, context())).toBe(true)
})

test('signs in anew when its token has ended before its time', async () => {
  signsIn('t1')
  nock('https://hub.docker.com', bearer('t1')).delete(tagPath).reply(204)
  nock('https://hub.docker.com', bearer('t1')).delete(tagPath).reply(401, { message: 'token expired' })
  signsIn('t2')
  nock('https://hub.docker.com', bearer('t2')).delete(tagPath).reply(204)
  for (let time = 0; time < 2; time++) expect(await registry.remove(place, context())).toBe(true)
})

test('does not sign in again and again where a new token is refused too', async () => {
  signsIn('t1')
  hub().delete(tagPath).reply(401, { message: 'unauthorized' })
  await expect(registry.remove(place, context())).rejects.toMatchObject({ evidence: { status: 401 } })
})

test('tells a private repository that is there from one of others', async () => {
  registryDenies()
  signsIn('t1')
  hub().get('/v2/namespaces/acme/repositories/web').reply(403, { message: 'forbidden' })
  await expect(registry.check(repository, 'push', context())).rejects.toMatchObject({
    code: 'REGISTRY_DENIED',
    message: expect.stringContaining('the repository is private, and acme has no right to it'),
    hint: expect.stringContaining('an owner of the namespace'),
  })
})

test('leaves a refusal as it is where it cannot be looked into', async () => {
  registryDenies()
  signsIn('t1')
  hub().get('/v2/namespaces/acme/repositories/web').twice().reply(500, 'broken')
  const error = await registry.check(repository, 'push', context()).catch(KiwiError.from)
  expect(error).toMatchObject({ code: 'REGISTRY_DENIED', message: expect.stringContaining('docker.io') })
})

test('tells a limit on all requests from one on pulls', async () => {
  const question = nock('https://registry-1.docker.io').head('/v2/ratelimitpreview/test/manifests/latest')
  question.reply(429, '', { 'retry-after': '90' })
  await expect(registry.limits(context())).rejects.toMatchObject({
    code: 'RATE_LIMITED',
    message: expect.stringContaining('limits all requests of this address for now; it asks to wait 90 s'),
    evidence: { retryAfterSeconds: 90 },
  })
})

test('says how long Docker Hub asks to wait, where that is too long to wait for', async () => {
  signsIn('t1')
  hub().delete(tagPath).reply(429, { message: 'Too many requests' }, { 'retry-after': '90' })
  await expect(registry.remove(place, context())).rejects.toMatchObject({
    code: 'RATE_LIMITED',
    message: expect.stringContaining('it asks to wait 90 s'),
    evidence: { retryAfterSeconds: 90 },
  })
})

test('takes the 500 in which the API hides a missing right for that, and does not remove twice', async () => {
  signsIn('t1')
  hub().delete(tagPath).reply(500, { message: 'failed to delete tag: status=401' })
  await expect(registry.remove(place, context())).rejects.toMatchObject({
    code: 'REGISTRY_DENIED',
    hint: expect.stringContaining('Read, Write, Delete'),
  })
})

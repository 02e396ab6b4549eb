import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KiwiError } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { connect } from './connect.js'
import { type CredentialOptions, credentialsFor, type Login } from './credentials.js'
import { type FakeAnswer, fakeServer, jsonAnswer, type SeenRequest } from './testing/fake-server.js'
import { temporaryDirectory } from './testing/image.js'
import { tokenCache } from './token.js'

const context = testContext()
const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') })

function loginOf(host: string, options: CredentialOptions, scope?: string): Promise<Login | undefined> {
  return credentialsFor(host, options)(context, async (login) => login, scope === undefined ? [] : [scope])
}

async function fileOf(auths: unknown) {
  const directory = await temporaryDirectory()
  const path = join(directory.path, 'auth.json')
  await writeFile(path, JSON.stringify({ auths }))
  return { path, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() }
}

afterEach(() => vi.unstubAllEnvs())

describe('podman’s file', () => {
  const auths = {
    'r.example.com': auth('host:1'),
    'r.example.com/team': auth('team:2'),
    'r.example.com/team/web': auth('web:3'),
    'docker.io/library': auth('hub:4'),
  }

  test.each([
    ['r.example.com', 'team/web', 'web'],
    ['r.example.com', 'team/web/api', 'web'],
    ['r.example.com', 'team/website', 'team'],
    ['r.example.com', 'teams', 'host'],
    ['r.example.com', undefined, 'host'],
    ['docker.io', 'library/nginx', 'hub'],
    ['other.example.com', 'team/web', undefined],
  ])('the most specific entry wins: %s/%s is %s', async (host, repository, username) => {
    await using file = await fileOf(auths)
    const scope = repository && `repository:${repository}:pull,push`
    expect((await loginOf(host, { podmanAuth: file.path }, scope))?.username).toBe(username)
  })

  test('is the one that the environment names', async () => {
    await using file = await fileOf(auths)
    vi.stubEnv('REGISTRY_AUTH_FILE', file.path)
    expect(await loginOf('r.example.com', { podmanAuth: true })).toEqual({ username: 'host', password: '1' })
  })

  test('may be missing where podman looks by itself, not where it was named', async () => {
    vi.stubEnv('REGISTRY_AUTH_FILE', '')
    vi.stubEnv('XDG_RUNTIME_DIR', '/nonexistent')
    vi.stubEnv('XDG_CONFIG_HOME', '/nonexistent')
    expect(await loginOf('r.example.com', { podmanAuth: true })).toBeUndefined()
    const named = loginOf('r.example.com', { podmanAuth: '/nonexistent/auth.json' })
    await expect(named).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })
})

test('a provider is asked for the host each time', async () => {
  let times = 0
  const provider = async (host: string) => ({ username: host, password: `${++times}` })
  expect(await loginOf('r.example.com', { provider })).toEqual({ username: 'r.example.com', password: '1' })
  expect(await loginOf('r.example.com', { provider })).toEqual({ username: 'r.example.com', password: '2' })
})

test('what a provider fails with is not told, but for its kind and what it says to be told', async () => {
  const foreign = loginOf('r.example.com', { provider: () => Promise.reject(new TypeError('hunter2 is wrong')) })
  const failure: unknown = await foreign.catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'REGISTRY_UNAUTHORIZED', message: expect.stringContaining('(TypeError)') })
  expect(JSON.stringify(KiwiError.from(failure).toRecord())).not.toContain('hunter2')
  const own = new KiwiError('SECRET_MISSING', 'the vault is sealed')
  await expect(loginOf('r.example.com', { provider: () => Promise.reject(own) })).rejects.toBe(own)
})

describe('an identity token', () => {
  const scopes = ['repository:web:pull,push', 'repository:base:pull']
  const identity = 'identity-s3cret'

  async function ask(answer: (request: SeenRequest) => FakeAnswer) {
    await using file = await fileOf({ 'r.example.com': { ...auth('user:'), identitytoken: identity } })
    await using server = await fakeServer(answer)
    const http = connect({ host: server.host, origin: `http://${server.host}` })
    const credentials = credentialsFor('r.example.com', { dockerConfig: file.path })
    const service = { realm: `http://${server.host}/token`, service: 's' }
    const tokens = tokenCache({ http, host: 'r.example.com', credentials })
    const result: unknown = await tokens.get(service, scopes, context).catch((error: unknown) => error)
    await http.close()
    return { result, seen: server.seen }
  }

  test('is exchanged in the body, with all scopes in one field', async () => {
    const { result, seen } = await ask(() => jsonAnswer(200, { access_token: 'good', expires_in: 60 }))
    expect(result).toMatchObject({ value: 'good', signedIn: true })
    expect(seen.map(({ method, url }) => `${method} ${url.pathname}${url.search}`)).toEqual(['POST /token'])
    expect(Object.fromEntries(new URLSearchParams(seen[0]?.body.toString()))).toEqual({
      grant_type: 'refresh_token',
      service: 's',
      client_id: 'kiwi',
      access_type: 'online',
      scope: scopes.join(' '),
      refresh_token: identity,
    })
  })

  test.each([404, 405])('is asked with in the older way when the server answers %i', async (status) => {
    const { result, seen } = await ask(({ method }) =>
      method === 'POST' ? { status } : jsonAnswer(200, { token: 'old' }),
    )
    expect(result).toMatchObject({ value: 'old' })
    expect(seen.map(({ method }) => method)).toEqual(['POST', 'GET'])
    expect(seen[1]?.url.searchParams.getAll('scope')).toEqual(scopes)
  })

  test.each([400, 401])('that has ended is told as such, without it, for %i', async (status) => {
    const { result } = await ask(() => jsonAnswer(status, { error: 'invalid_grant' }))
    expect(result).toMatchObject({ code: 'REGISTRY_UNAUTHORIZED' })
    expect(JSON.stringify(result)).not.toContain(identity)
  })
})

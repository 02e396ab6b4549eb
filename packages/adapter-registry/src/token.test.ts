import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { testContext } from '@kiwi/core/testing'
import { expect, test } from 'vitest'
import { connect } from './connect.js'
import { credentialsFor } from './credentials.js'
import { type FakeAnswer, fakeServer, jsonAnswer, type SeenRequest } from './testing/fake-server.js'
import { type TokenService, type Tokens, tokenCache } from './token.js'

const context = testContext({ secrets: { PASSWORD: 's3cret-P@ss' } })
const pull = 'repository:web:pull'

interface Setting extends AsyncDisposable {
  readonly tokens: Tokens
  readonly service: TokenService
  readonly seen: readonly SeenRequest[]
  pass(milliseconds: number): void
}

async function setting(answer: (request: SeenRequest) => FakeAnswer, login = true): Promise<Setting> {
  const server = await fakeServer(answer)
  const http = connect({ host: server.host, origin: `http://${server.host}` })
  let time = 0
  const options = login ? { username: 'kiwi', password: { secret: 'PASSWORD' } } : undefined
  const credentials = credentialsFor(server.host, options)
  return {
    tokens: tokenCache({ http, host: 'registry.example.com', credentials, now: () => time }),
    service: { realm: `http://${server.host}/token?account=a`, service: 'registry' },
    seen: server.seen,
    pass: (milliseconds) => {
      time += milliseconds
    },
    async [Symbol.asyncDispose]() {
      await http.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

test('asks with one scope parameter for each scope, and the login in the header only', async () => {
  await using at = await setting(() => jsonAnswer(200, { token: 'abc' }))
  const scopes = ['repository:web:pull,push', 'repository:base:pull']
  expect(await at.tokens.get(at.service, scopes, context)).toMatchObject({ value: 'abc', signedIn: true })
  const [request] = at.seen
  expect(request?.url.searchParams.getAll('scope')).toEqual(scopes)
  expect(request?.url.searchParams.get('service')).toBe('registry')
  expect(request?.url.searchParams.get('account')).toBe('a')
  expect(request?.headers.authorization).toBe(`Basic ${Buffer.from('kiwi:s3cret-P@ss').toString('base64')}`)
  expect(String(request?.url)).not.toContain('s3cret')
})

test('asks once for many who wait, and again when 80 % of the life is over', async () => {
  let count = 0
  await using at = await setting(() => jsonAnswer(200, { access_token: `t${++count}`, expires_in: 100 }))
  const get = () => at.tokens.get(at.service, [pull], context)
  const first = await Promise.all([get(), get(), get()])
  expect(first.map(({ value }) => value)).toEqual(['t1', 't1', 't1'])
  at.pass(79_000)
  expect((await get()).value).toBe('t1')
  at.pass(2_000)
  expect((await get()).value).toBe('t2')
  expect(at.seen).toHaveLength(2)
})

test('asks for one new token when many are refused at once', async () => {
  let count = 0
  await using at = await setting(() => jsonAnswer(200, { token: `t${++count}`, expires_in: 100 }))
  await at.tokens.get(at.service, [pull], context)
  const renewed = [1, 2, 3].map(() => {
    at.tokens.forget(at.service, [pull])
    return at.tokens.get(at.service, [pull], context)
  })
  expect((await Promise.all(renewed)).map(({ value }) => value)).toEqual(['t2', 't2', 't2'])
  expect(at.seen).toHaveLength(2)
})

test('takes a token without a life for one of a minute', async () => {
  let count = 0
  await using at = await setting(() => jsonAnswer(200, { token: `t${++count}` }))
  await at.tokens.get(at.service, [pull], context)
  at.pass(49_000)
  expect((await at.tokens.get(at.service, [pull], context)).value).toBe('t2')
})

test('keeps one token for each set of scopes', async () => {
  await using at = await setting(({ url }) => jsonAnswer(200, { token: url.searchParams.get('scope') }))
  expect((await at.tokens.get(at.service, ['a'], context)).value).toBe('a')
  expect((await at.tokens.get(at.service, ['b'], context)).value).toBe('b')
})

test('does not fail those who wait with a call that is cancelled', async () => {
  const controller = new AbortController()
  await using at = await setting(() => {
    controller.abort(new Error('cancelled'))
    return jsonAnswer(200, { token: 'good' })
  })
  const secrets = { PASSWORD: 's3cret-P@ss' }
  const cancelled = at.tokens.get(at.service, [pull], testContext({ signal: controller.signal, secrets }))
  const waiting = at.tokens.get(at.service, [pull], context)
  await expect(cancelled).rejects.toThrow('cancelled')
  expect((await waiting).value).toBe('good')
})

test('asks without a login when there is none', async () => {
  await using at = await setting(() => jsonAnswer(200, { token: 'anybody' }), false)
  expect(await at.tokens.get(at.service, [pull], context)).toMatchObject({ value: 'anybody', signedIn: false })
  expect(at.seen[0]?.headers.authorization).toBeUndefined()
})

test('rejects a wrong password as such, without telling it, and asks again next time', async () => {
  let wrong = true
  await using at = await setting(() =>
    wrong ? jsonAnswer(401, { details: 'incorrect username or password' }) : jsonAnswer(200, { token: 'ok' }),
  )
  const failure = await at.tokens.get(at.service, [pull], context).catch((error: unknown) => error)
  expect(failure).toMatchObject({
    code: 'REGISTRY_UNAUTHORIZED',
    message: 'registry.example.com refuses the user name or the password: incorrect username or password',
  })
  expect(JSON.stringify(failure)).not.toContain('s3cret')
  wrong = false
  expect((await at.tokens.get(at.service, [pull], context)).value).toBe('ok')
})

test.each(['{"token":""}', 'nonsense', '{"tokens":"abc-secret"}'])(
  'rejects the answer %s without quoting it',
  async (body) => {
    await using at = await setting(() => ({ status: 200, body }))
    const failure: unknown = await at.tokens.get(at.service, [pull], context).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'REGISTRY_FAILED' })
    expect(String(failure)).not.toContain('abc-secret')
  },
)

test.each([
  [90, 't2'],
  [70, 't1'],
  [-600, 't1'],
])('counts the life of a token from when it was made: %i s ago', async (ageSeconds, expected) => {
  let count = 0
  const now = Date.now()
  await using at = await setting(() =>
    jsonAnswer(
      200,
      { token: `t${++count}`, expires_in: 100, issued_at: new Date(now - ageSeconds * 1000).toISOString() },
      { date: new Date(now).toUTCString() },
    ),
  )
  await at.tokens.get(at.service, [pull], context)
  at.pass(20_000)
  expect((await at.tokens.get(at.service, [pull], context)).value).toBe(expected)
})

test.each([200, 401, 500])('an answer %i that never ends is not read to its end', async (status) => {
  let sent = 0
  const server = createServer((_request, response) => {
    response.writeHead(status).on('error', () => undefined)
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(16_384))) sent += 16_384
      if (!response.destroyed) response.once('drain', more)
    }
    more()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on a port, not on a path
  const http = connect({ host: 'r', origin: `http://127.0.0.1:${port}` })
  const credentials = credentialsFor('r', { username: 'kiwi', password: { secret: 'PASSWORD' } })
  const tokens = tokenCache({ http, host: 'r', credentials })
  const asking = tokens.get({ realm: `http://127.0.0.1:${port}/token` }, [pull], context)
  await expect(asking).rejects.toMatchObject({ code: status === 401 ? 'REGISTRY_UNAUTHORIZED' : 'REGISTRY_FAILED' })
  await http.close()
  server.close()
  server.closeAllConnections()
  expect(sent).toBeLessThan(64 * 1024 * 1024) // what the system's buffers hold, not what could be sent
})

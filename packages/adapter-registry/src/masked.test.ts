import { KiwiError } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { expect, test } from 'vitest'
import type { CredentialOptions } from './credentials.js'
import { ociRegistry } from './registry.js'
import { type FakeAnswer, fakeServer, jsonAnswer, type SeenRequest } from './testing/fake-server.js'

const password = 'pa"ss w\u00f6rd/42'
const pair = Buffer.from(`kiwi:${password}`).toString('base64')
const fromProvider: CredentialOptions = { provider: async () => ({ username: 'kiwi', password }) }
const identity = 'identity-token-of-ana'
const fromHelper: CredentialOptions = { provider: async () => ({ username: '<token>', password: identity }) }

/** Everything that comes out: of the error, with its causes, and what was reported. */
async function told(answer: (request: SeenRequest) => FakeAnswer, credentials = fromProvider): Promise<string> {
  await using server = await fakeServer(answer)
  await using registry = ociRegistry({ host: server.host, plainHttp: true, credentials, retry: { tries: 1 } })
  const context = testContext()
  const failure: unknown = await registry.check('web', 'push', context).catch((error: unknown) => error)
  expect(KiwiError.is(failure), String(failure)).toBe(true)
  return JSON.stringify([KiwiError.from(failure).toRecord(), context.facts])
}

function expectNothingOf(text: string, ...secrets: readonly string[]): void {
  expect(text).toContain('***')
  for (const secret of secrets)
    for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])
      expect(text).not.toContain(form)
}

const basic = ({ headers }: SeenRequest) => headers.authorization !== undefined
const challenge: FakeAnswer = { status: 401, headers: { 'www-authenticate': 'Basic realm="a"' } }
const saying = (message: string, status = 403) => jsonAnswer(status, { errors: [{ code: 'DENIED', message }] })

test.each([
  ['the password', `kiwi, ${password} is wrong`],
  ['the password in a URL', `see /login?p=${encodeURIComponent(password)}`],
  ['the header', `you sent ${pair}`],
])('a registry that says back %s has it taken out', async (_, message) => {
  expectNothingOf(await told((request) => (basic(request) ? saying(message) : challenge)), password, pair)
})

test('also where it does so in plain text or in a header', async () => {
  const plain = (request: SeenRequest) => (basic(request) ? { status: 500, body: `no: ${password}` } : challenge)
  expectNothingOf(await told(plain).catch(String), password)
  const header = { 'x-request-id': Buffer.from(pair).toString() }
  const inHeader = (request: SeenRequest) =>
    basic(request) ? jsonAnswer(403, { errors: [{ code: 'DENIED', message: 'no' }] }, header) : challenge
  expectNothingOf(await told(inHeader), pair)
})

test('a token that is said back is taken out', async () => {
  const answer = ({ url, headers: { authorization, host } }: SeenRequest): FakeAnswer => {
    if (url.pathname === '/token') return jsonAnswer(200, { token: 'the-token-of-kiwi' })
    if (authorization) return saying('the token "the-token-of-kiwi" may not push')
    return { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${host}/token"` } }
  }
  expectNothingOf(await told(answer), 'the-token-of-kiwi')
})

test('a token server that says back an identity token has it taken out', async () => {
  const answer = ({ url, headers: { host } }: SeenRequest): FakeAnswer => {
    if (url.pathname === '/token') return jsonAnswer(400, { error_description: `unknown: ${identity}` })
    return { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${host}/token"` } }
  }
  expectNothingOf(await told(answer, fromHelper), identity)
})

import { type Context, digestOf, KiwiError, mediaTypes, type Registry } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { expect, test } from 'vitest'
import { ociRegistry } from './registry.js'
import { type FakeAnswer, type FakeServer, fakeServer, jsonAnswer, type SeenRequest } from './testing/fake-server.js'
import { chunksOf, collect } from './testing/image.js'

const password = 's3cret-P@ss'
const context = testContext({ secrets: { PASSWORD: password } })
const credentials = { username: 'kiwi', password: { secret: 'PASSWORD' } }
const bytes = Buffer.from('{"layers":[]}')
const manifest = {
  status: 200,
  headers: {
    'content-type': mediaTypes.manifest,
    'content-length': String(bytes.byteLength),
    'docker-content-digest': digestOf(bytes),
  },
}
const place = { repository: 'web', reference: 'v1' }
const refusal = (status: number, code: string, message: string, headers = {}) =>
  jsonAnswer(status, { errors: [{ code, message }] }, headers)

interface Setting extends AsyncDisposable {
  readonly registry: Registry
  readonly server: FakeServer
}

async function setting(
  answer: (request: SeenRequest) => FakeAnswer | 'hang-up',
  options: { readonly anonymous?: boolean } = {},
): Promise<Setting> {
  const server = await fakeServer(answer)
  const registry = ociRegistry({
    host: server.host,
    plainHttp: true,
    retry: { wait: async () => undefined },
    ...(!options.anonymous && { credentials }),
  })
  return {
    registry,
    server,
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

const failureOf = async (work: Promise<unknown>): Promise<KiwiError> => {
  const error = await work.then(
    () => new Error('nothing failed'),
    (thrown: unknown) => thrown,
  )
  expect(KiwiError.is(error), String(error)).toBe(true)
  return KiwiError.from(error)
}

test('a registry that asks for nothing is told nothing', async () => {
  await using at = await setting(() => manifest)
  await at.registry.resolve(place, context)
  expect(at.server.lines()).toEqual(['HEAD /v2/web/manifests/v1'])
  expect(at.server.seen[0]?.headers.authorization).toBeUndefined()
})

test('a registry that asks for Basic is given the login from then on', async () => {
  await using at = await setting(({ headers }) =>
    headers.authorization ? manifest : { status: 401, headers: { 'www-authenticate': 'Basic realm="a"' } },
  )
  await at.registry.resolve(place, context)
  await at.registry.resolve(place, context)
  const basic = `Basic ${Buffer.from(`kiwi:${password}`).toString('base64')}`
  expect(at.server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, basic, basic])
})

/** A registry and its token server on one address. `give` says which token a request for scopes gets. */
function tokenRegistry(
  give: (scopes: readonly string[]) => string,
  valid: (token: string, request: SeenRequest) => boolean,
) {
  return (request: SeenRequest): FakeAnswer => {
    const { url, headers } = request
    if (url.pathname === '/token') return jsonAnswer(200, { token: give(url.searchParams.getAll('scope')) })
    const token = /^Bearer (.*)$/.exec(headers.authorization ?? '')?.[1]
    if (token !== undefined && valid(token, request)) return manifest
    const realm = `http://${headers.host}/token`
    return refusal(401, 'UNAUTHORIZED', 'authentication required', {
      'www-authenticate': ['Negotiate', `Bearer realm="${realm}",service="s",scope="repository:web:pull"`],
    })
  }
}

test('a registry that sends for a token is given one from then on, without asking twice', async () => {
  await using at = await setting(
    tokenRegistry(
      () => 'good',
      (token) => token === 'good',
    ),
  )
  await at.registry.resolve(place, context)
  await at.registry.resolve(place, context)
  expect(at.server.lines()).toEqual([
    'HEAD /v2/web/manifests/v1',
    'GET /token',
    'HEAD /v2/web/manifests/v1',
    'HEAD /v2/web/manifests/v1',
  ])
})

test('a token that is not good any more is replaced once', async () => {
  let count = 0
  await using at = await setting(
    tokenRegistry(
      () => `t${++count}`,
      (token) => token === `t${count}` && !(token === 't1' && at.server.seen.length > 4),
    ),
  )
  await at.registry.resolve(place, context)
  await at.registry.resolve(place, context)
  await at.registry.resolve(place, context)
  expect(count).toBe(2)
})

test('a scope that the registry asks for beyond ours is put in front', async () => {
  const asked: (readonly string[])[] = []
  await using at = await setting(
    tokenRegistry(
      (scopes) => String(asked.push(scopes)),
      () => true,
    ),
  )
  await at.registry.resolve({ repository: 'other', reference: 'v1' }, context)
  expect(asked).toEqual([['repository:web:pull', 'repository:other:pull']])
})

test('a user without the right is told so, and not that the password is wrong', async () => {
  await using at = await setting(
    tokenRegistry(
      () => 'weak',
      () => false,
    ),
  )
  expect(await failureOf(at.registry.check('web', 'push', context))).toMatchObject({
    code: 'REGISTRY_DENIED',
    message: `cannot push to ${at.server.host}/web: ${at.server.host} knows the user but denies it: authentication required`,
  })
})

test('a registry that wants credentials says so when none are configured', async () => {
  await using at = await setting(() => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="a"' } }), {
    anonymous: true,
  })
  expect(await failureOf(at.registry.check('web', 'push', context))).toMatchObject({ code: 'REGISTRY_UNAUTHORIZED' })
})

test.each<[number, string, string, string, boolean]>([
  [403, 'DENIED', 'requested access to the resource is denied', 'REGISTRY_DENIED', false],
  [412, 'PRECONDITION', 'the tag is immutable', 'TAG_IMMUTABLE', false],
  [413, '', 'too large', 'REGISTRY_FAILED', false],
  [429, 'TOOMANYREQUESTS', 'you have reached your pull rate limit', 'RATE_LIMITED', true],
  [404, 'NAME_UNKNOWN', 'repository name not known', 'MANIFEST_UNKNOWN', false],
  [500, 'UNKNOWN', 'internal server error', 'REGISTRY_FAILED', true],
  [400, 'SIZE_INVALID', 'size', 'REGISTRY_FAILED', false],
])('an answer %d %s is told in the registry’s words', async (status, code, words, expected, retryable) => {
  await using at = await setting(() => refusal(status, code, words, { 'retry-after': '30' }))
  const failure = await failureOf(at.registry.check('web', 'push', context))
  expect(failure).toMatchObject({ code: expected, retryable, evidence: { status, message: words } })
  expect(failure.message).toContain(`: ${words}`)
  if (status === 429) expect(failure.message).toContain('wait 30 s')
})

test('a page of a proxy does not get into a message', async () => {
  await using at = await setting(() => ({
    status: 502,
    headers: { 'content-type': 'text/html' },
    body: '<html>Bad</html>',
  }))
  const failure = await failureOf(at.registry.check('web', 'push', context))
  expect(failure.message).toBe(`cannot push to ${at.server.host}/web: ${at.server.host} answers 502`)
})

test('no failure holds the password, the token or the header that carried them', async () => {
  const answers: FakeAnswer[] = [
    { status: 401, headers: { 'www-authenticate': 'Basic realm="a"' } },
    refusal(403, 'DENIED', 'no'),
  ]
  await using at = await setting(() => answers.shift() ?? 'hang-up')
  const failures = [
    await failureOf(at.registry.check('web', 'push', context)),
    await failureOf(at.registry.check('web', 'push', context)),
  ]
  expect(failures.map(({ code }) => code)).toEqual(['REGISTRY_DENIED', 'REGISTRY_UNREACHABLE'])
  for (const failure of failures) {
    const text = JSON.stringify([failure.toRecord(), failure.stack, Object.entries(Object(failure.cause))])
    expect(text).not.toContain(password)
    expect(text).not.toContain(Buffer.from(`kiwi:${password}`).toString('base64'))
  }
})

test('a 404 that is not the registry’s own is not taken for "not there"', async () => {
  await using at = await setting(() => ({ status: 404, headers: { 'content-type': 'text/html' }, body: '<html>' }))
  expect(await failureOf(at.registry.resolve(place, context))).toMatchObject({ code: 'REGISTRY_FAILED' })
})

test('a lost connection is tried again, five times in all, and reported when it is lost each time', async () => {
  let left = 4
  await using at = await setting(() => (left-- > 0 ? 'hang-up' : manifest))
  expect(await at.registry.resolve(place, context)).toBeDefined()
  expect(at.server.seen).toHaveLength(5)
  left = 5
  expect(await failureOf(at.registry.resolve(place, context))).toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
    message: `${at.server.host} cannot be reached: it cut the connection`,
    retryable: true,
  })
})

test('a manifest is sent again when the connection is lost, and its effect is unknown when it is lost each time', async () => {
  await using at = await setting(() => 'hang-up')
  const sending = at.registry.sink('web').manifest(bytes, { mediaType: mediaTypes.manifest, tag: 'v1' }, context)
  expect(await failureOf(sending)).toMatchObject({ code: 'REGISTRY_UNREACHABLE', effect: 'unknown' })
  expect(at.server.seen).toHaveLength(5)
})

test('a registry that stores another manifest than it was given is found out', async () => {
  await using at = await setting(() => ({
    status: 201,
    headers: { 'docker-content-digest': digestOf(Buffer.from('x')) },
  }))
  const sending = at.registry.sink('web').manifest(bytes, { mediaType: mediaTypes.manifest, tag: 'v1' }, context)
  expect(await failureOf(sending)).toMatchObject({ code: 'DIGEST_MISMATCH', effect: 'done' })
})

test('a manifest or blob that is not what its digest says is found out', async () => {
  await using at = await setting(({ method }) =>
    method === 'HEAD' ? manifest : { status: 200, body: '{"layers":{}}' },
  )
  const source = await at.registry.source(place, context)
  expect(await failureOf(source.manifest(source.root, context.signal))).toMatchObject({ code: 'DIGEST_MISMATCH' })
  const reading = collect(source.blob(source.root, { offsetBytes: 0, signal: context.signal }))
  expect(await failureOf(reading)).toMatchObject({ code: 'DIGEST_MISMATCH' })
})

test('a registry that ignores ranges is read from the right place all the same', async () => {
  await using at = await setting(({ method }) => (method === 'HEAD' ? manifest : { status: 200, body: bytes }))
  const source = await at.registry.source(place, context)
  const rest = await collect(source.blob(source.root, { offsetBytes: 5, signal: context.signal }))
  expect(rest).toEqual(bytes.subarray(5))
})

test('a redirect to another host is followed without the login', async () => {
  await using storage = await fakeServer(() => ({ status: 200, body: bytes }))
  await using at = await setting(({ method, headers }) => {
    if (!headers.authorization) return { status: 401, headers: { 'www-authenticate': 'Basic realm="a"' } }
    if (method === 'HEAD') return manifest
    return { status: 307, headers: { location: `http://${storage.host}/signed?key=1` } }
  })
  const source = await at.registry.source(place, context)
  expect(await collect(source.blob(source.root, { offsetBytes: 0, signal: context.signal }))).toEqual(bytes)
  expect(storage.seen.map(({ headers }) => headers.authorization)).toEqual([undefined])
})

test('an upload that is sent to another host goes there without the login, and its own query is kept', async () => {
  await using storage = await fakeServer(() => ({ status: 201 }))
  await using at = await setting(({ headers }) => {
    if (!headers.authorization) return { status: 401, headers: { 'www-authenticate': 'Basic realm="a"' } }
    return { status: 202, headers: { location: `http://${storage.host}/upload?_state=a%2Bb` } }
  })
  const expected = { digest: digestOf(bytes), size: bytes.byteLength }
  const upload = { mediaType: mediaTypes.layerGzip, expected, open: () => chunksOf(bytes) }
  await at.registry.sink('web').blob(upload, context)
  const [put] = storage.seen
  expect(put?.headers.authorization).toBeUndefined()
  expect(Object.fromEntries(put?.url.searchParams ?? [])).toEqual({ _state: 'a+b', digest: expected.digest })
  expect(put?.body).toEqual(bytes)
})

test('every step of an upload goes to the address that was given last', async () => {
  const locations = ['/upload/1?s=1', '/upload/2?s=2']
  await using at = await setting(({ method }) => {
    if (method === 'PUT') return { status: 201 }
    return { status: 202, headers: { location: locations.shift() ?? '' } }
  })
  await at.registry.sink('web').blob({ mediaType: mediaTypes.layerGzip, open: () => chunksOf(bytes) }, context)
  expect(at.server.lines()).toEqual(['POST /v2/web/blobs/uploads/', 'PATCH /upload/1', 'PUT /upload/2'])
})

test('a refused mount is followed by an upload', async () => {
  await using at = await setting(({ method, url }) => {
    if (url.searchParams.has('mount')) return refusal(400, 'UNSUPPORTED', 'no mounts here')
    return method === 'POST' ? { status: 202, headers: { location: '/upload' } } : { status: 201 }
  })
  const expected = { digest: digestOf(bytes), size: bytes.byteLength }
  const mountFrom = { registry: at.server.host, repository: 'base' }
  const upload = { mediaType: mediaTypes.layerGzip, expected, mountFrom, open: () => chunksOf(bytes) }
  await at.registry.sink('web').blob(upload, context)
  expect(at.server.seen.map(({ method }) => method)).toEqual(['POST', 'POST', 'PUT'])
})

test('a token server whose address is malformed is told as the registry’s fault', async () => {
  const { authorityOf } = await import('./authority.js')
  const endpoint = { host: 'r.example.com', origin: 'https://r.example.com', repository: (name: string) => name }
  const tokens = { get: () => Promise.reject(new Error('asked')), forget: () => undefined }
  const authority = authorityOf(endpoint, (_context: Context, use) => use(undefined), tokens)
  const header = 'Bearer realm="token server"'
  const answer = { headers: () => [header] }
  expect(() => authority.learn(answer, [])).toThrow(expect.objectContaining({ code: 'REGISTRY_FAILED' }))
})

test('a missing secret fails before anything is sent with it', async () => {
  await using at = await setting(() => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="a"' } }))
  expect(await failureOf(at.registry.resolve(place, testContext()))).toMatchObject({ code: 'SECRET_MISSING' })
  expect(at.server.seen).toHaveLength(1)
})

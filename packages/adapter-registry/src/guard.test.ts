import { digestOf, KiwiError, mediaTypes } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { describe, expect, test } from 'vitest'
import { type OciRegistryOptions, ociRegistry } from './registry.js'
import { fakeNetwork } from './testing/fake-network.js'
import { type FakeAnswer, type FakeServer, fakeServer, jsonAnswer, type SeenRequest } from './testing/fake-server.js'
import { chunksOf, collect } from './testing/image.js'

const password = 's3cret-P@ss'
const basic = Buffer.from(`kiwi:${password}`).toString('base64')
const bytes = Buffer.from('{"layers":[]}')
const headers = { 'content-type': mediaTypes.manifest, 'docker-content-digest': digestOf(bytes) }
const manifest = { status: 200, headers: { ...headers, 'content-length': String(bytes.byteLength) } }

/** What a registry on the Internet may say to get at what only its client reaches. */
const insideHosts = [
  ['loopback', '127.0.0.1'],
  ['another loopback', '127.255.255.254'],
  ['with a dot at the end', '127.0.0.1.'],
  ['short', '127.1'],
  ['decimal', '2130706433'],
  ['hexadecimal', '0x7f000001'],
  ['hexadecimal parts', '0x7f.0x0.0x0.0x1'],
  ['octal', '0177.0.0.01'],
  ['octal whole', '017700000001'],
  ['percent', '%31%32%37.0.0.1'],
  ['unicode digits', '①②⑦.⓪.⓪.①'],
  ['full-width', '１２７。０。０。１'],
  ['this host', '0.0.0.0'],
  ['this host, short', '0'],
  ['private 10/8', '10.0.0.1'],
  ['private 172.16/12', '172.31.255.255'],
  ['private 192.168/16', '192.168.1.1'],
  ['shared 100.64/10', '100.127.0.1'],
  ['link-local', '169.254.1.1'],
  ['metadata', '169.254.169.254'],
  ['metadata, decimal', '2852039166'],
  ['metadata of another cloud', '100.100.100.200'],
  ['metadata at a public address', '168.63.129.16'],
  ['broadcast', '255.255.255.255'],
  ['IPv6 loopback', '[::1]'],
  ['IPv6 loopback, long', '[0:0:0:0:0:0:0:1]'],
  ['IPv6 unspecified', '[::]'],
  ['IPv6 link-local', '[fe80::1]'],
  ['IPv6 private', '[fd12:3456::1]'],
  ['IPv6 metadata', '[fd00:ec2::254]'],
  ['IPv4 mapped', '[::ffff:127.0.0.1]'],
  ['IPv4 mapped, hexadecimal', '[::ffff:a00:1]'],
  ['IPv4 compatible', '[::127.0.0.1]'],
  ['NAT64', '[64:ff9b::169.254.169.254]'],
  ['6to4', '[2002:7f00:1::]'],
  ['localhost', 'localhost'],
  ['localhost with a dot', 'LOCALHOST.'],
  ['below localhost', 'a.localhost'],
  ['metadata by name', 'metadata.google.internal'],
  ['a name without a domain', 'kubernetes'],
  ['a name that means loopback', 'loopback.attacker.example'],
  ['a name that means a private address', 'private.attacker.example'],
  ['a name that means a mapped address', 'mapped.attacker.example'],
  ['a name that means a public and a private address', 'both.attacker.example'],
] as const

const means: Readonly<Record<string, readonly string[]>> = {
  'registry.example.com': ['203.0.113.10'],
  'auth.example.com': ['203.0.113.11'],
  'store.example.com': ['203.0.113.12'],
  'registry.corp.example': ['10.1.0.1'],
  'store.corp.example': ['10.1.0.2'],
  'loopback.attacker.example': ['127.0.0.1'],
  'private.attacker.example': ['192.168.0.1'],
  'mapped.attacker.example': ['::ffff:10.0.0.1'],
  'both.attacker.example': ['203.0.113.12', '10.0.0.1'],
}
const resolve = (name: string) => means[name] ?? []

interface Setting extends AsyncDisposable {
  readonly seen: readonly SeenRequest[]
  readonly server: FakeServer
  readonly dialled: readonly string[]
  readonly asked: readonly string[]
  /** Signs in, pulls a blob or pushes one. */
  use(way: Way): Promise<unknown>
}

type Way = 'realm' | 'redirect' | 'upload Location'
const ways: readonly Way[] = ['realm', 'redirect', 'upload Location']

/** A registry that sends its client on, and the servers of all others, which answer the same. */
async function setting(
  target: string,
  options: Omit<OciRegistryOptions, 'credentials'> = { host: 'registry.example.com' },
  names = resolve,
): Promise<Setting> {
  const ascii = target.replace(/[^ -~]+/g, encodeURIComponent) // headers carry no more; a URL is read the same
  const server = await fakeServer(answerWith(ascii, options.host))
  const port = Number(server.host.split(':')[1])
  const own = names(options.host)[0] ?? options.host
  const servers = [own, '203.0.113.11', '203.0.113.12', '10.1.0.2', '127.0.0.1']
  const network = fakeNetwork(names, Object.fromEntries(servers.map((address) => [address, port])))
  const login = { username: 'kiwi', password: { secret: 'PASSWORD' } }
  const registry = ociRegistry({ ...options, credentials: login, retry: { tries: 2, wait: async () => undefined } })
  return {
    server,
    seen: server.seen,
    dialled: network.dialled,
    asked: network.asked,
    use: (way) => perform(way, registry),
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]()
      network[Symbol.dispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** The repository's name says what the registry does. */
function answerWith(target: string, host: string) {
  return ({ url, method, headers: sent }: SeenRequest): FakeAnswer => {
    const path = url.pathname
    if (sent.host?.split(':')[0] !== host.split(':')[0])
      return jsonAnswer(200, { token: 'of-a-stranger', expires_in: 0.001 })
    if (!path.startsWith('/v2/')) return jsonAnswer(200, { token: 'good' })
    const challenge = path.includes('realm') ? `Bearer realm="${target}",service="s"` : 'Basic realm="a"'
    if (!sent.authorization) return { status: 401, headers: { 'www-authenticate': challenge } }
    if (method === 'POST') return { status: 202, headers: { location: target } }
    if (method === 'HEAD' && path.includes('/blobs/')) return { status: 404 }
    return method === 'HEAD' || path.includes('realm') ? manifest : { status: 307, headers: { location: target } }
  }
}

async function perform(way: Way, registry: ReturnType<typeof ociRegistry>): Promise<unknown> {
  const context = testContext({ secrets: { PASSWORD: password } })
  try {
    if (way === 'realm') return await registry.resolve({ repository: 'realm', reference: 'v1' }, context)
    if (way === 'redirect') {
      const source = await registry.source({ repository: 'redirect', reference: 'v1' }, context)
      return await collect(source.blob(source.root, { offsetBytes: 0, signal: context.signal }))
    }
    const expected = { digest: digestOf(bytes), size: bytes.byteLength }
    const blob = { mediaType: mediaTypes.layerGzip, expected, open: () => chunksOf(bytes) }
    return await registry.sink('upload').blob(blob, context)
  } catch (error) {
    return error
  } finally {
    expect(JSON.stringify(context.facts)).not.toContain(password)
  }
}

function expectRefused(failure: unknown): void {
  expect(failure, String(failure)).toMatchObject({ code: 'REGISTRY_FAILED', retryable: false })
  const told = JSON.stringify(KiwiError.from(failure).toRecord())
  expect(told).toMatch(/: refused/)
  expect(told).not.toContain(password)
  expect(told).not.toContain(basic)
}

describe.each(ways)('a registry outside whose %s points inside', (way) => {
  test.each(insideHosts)('is refused before a packet is sent: %s, %s', async (_, host) => {
    await using at = await setting(`https://${host}/next`)
    expectRefused(await at.use(way))
    expect(new Set(at.dialled)).toEqual(new Set(['203.0.113.10:443']))
  })

  test('is refused when the name meant a host outside when it was last asked', async () => {
    let meaning = '203.0.113.12'
    const rebinding = (name: string) => (name === 'rebind.example' ? [meaning] : resolve(name))
    await using at = await setting('https://rebind.example/next', undefined, rebinding)
    await at.use(way)
    const connections = at.dialled.filter((to) => to === '203.0.113.12:443')
    expect(connections.length).toBeGreaterThan(0)
    // each goes to what the guard saw: its name is not asked for again
    expect(at.asked.filter((name) => name === 'rebind.example')).toHaveLength(connections.length)
    meaning = '10.0.0.1'
    at.server.closeConnections()
    expectRefused(await at.use(way))
    expect(at.dialled.filter((to) => to.startsWith('10.'))).toEqual([])
  })

  test('is refused without TLS, also when it points outside', async () => {
    await using at = await setting('http://store.example.com/next')
    expectRefused(await at.use(way))
    expect(new Set(at.dialled)).toEqual(new Set(['203.0.113.10:443']))
  })

  test.each(['https://store.example.com/next', 'https://registry.example.com:8443/next'])(
    'is followed when it points to %s',
    async (target) => {
      await using at = await setting(target)
      await at.use(way)
      const { host } = new URL(target)
      const there = at.seen.filter(({ headers }) => headers.host === host)
      expect(there.length).toBeGreaterThan(0)
      // a token server is told the login, others nothing
      for (const request of there)
        expect(request.headers.authorization).toBe(way === 'realm' ? `Basic ${basic}` : undefined)
    },
  )

  test.each([
    '172.32.0.1',
    '100.128.0.1',
    '169.253.0.1',
    '11.0.0.1',
    '192.169.0.1',
    '[64:ff9b::203.0.113.12]',
    '[2606:4700::1]',
  ])('is followed when it points to %s, which is just outside', async (host) => {
    await using at = await setting(`https://${host}/next`)
    expect(await at.use(way)).toMatchObject({ code: 'REGISTRY_UNREACHABLE' })
    expect(at.dialled).toContain(`${new URL(`https://${host}`).hostname}:443`)
  })
})

describe.each(ways)('a registry inside whose %s points inside', (way) => {
  test.each([
    ['registry.corp.example', 'https://store.corp.example/next'],
    ['registry.corp.example', 'https://10.1.0.2/next'],
    ['10.1.0.1', 'https://store.corp.example/next'],
    ['10.1.0.1', 'https://10.1.0.1:8443/next'],
  ])('%s is followed to %s', async (host, target) => {
    await using at = await setting(target, { host })
    await at.use(way)
    expect(at.seen.filter(({ headers }) => headers.host === new URL(target).host).length).toBeGreaterThan(0)
  })

  test.each(['169.254.169.254', 'metadata.google.internal', '[fd00:ec2::254]'])('is refused at %s', async (host) => {
    await using at = await setting(`https://${host}/next`, { host: 'registry.corp.example' })
    expectRefused(await at.use(way))
    expect(new Set(at.dialled)).toEqual(new Set(['10.1.0.1:443']))
  })

  test('is refused once the registry’s own name has meant a host outside', async () => {
    let meaning = '203.0.113.10'
    const turning = (name: string) => (name === 'registry.example.com' ? [meaning] : resolve(name))
    await using at = await setting('https://10.1.0.2/next', undefined, turning)
    expectRefused(await at.use(way))
    meaning = '127.0.0.1'
    at.server.closeConnections()
    expectRefused(await at.use(way))
    expect(at.dialled.filter((to) => to.startsWith('10.'))).toEqual([])
    if (way !== 'realm') expect(at.dialled).toContain('127.0.0.1:443') // the realm is asked before the registry is
  })
})

describe.each(['redirect', 'upload Location'] as const)('the login stays where it belongs: a %s', (way) => {
  test.each([
    ['another port', 'http://10.1.0.1:8080/next'],
    ['another host', 'http://store.corp.example/next'],
    ['a host written like a user', 'http://10.1.0.1@store.corp.example/next'],
  ])('to %s is told nothing', async (_, target) => {
    await using at = await setting(target, { host: '10.1.0.1', plainHttp: true })
    await at.use(way)
    const away = at.seen.filter(({ headers }) => headers.host !== '10.1.0.1')
    expect(away.length).toBeGreaterThan(0)
    for (const { headers } of away) expect(headers.authorization).toBeUndefined()
  })

  test('to itself is', async () => {
    await using at = await setting('http://10.1.0.1/v2/next', { host: '10.1.0.1', plainHttp: true })
    await at.use(way)
    const there = at.seen.filter(({ url }) => url.pathname === '/v2/next')
    expect(there[0]?.headers.authorization).toBe(`Basic ${basic}`)
  })
})

test('the login stays where it belongs: a redirect to another scheme is told nothing', async () => {
  await using at = await setting('https://10.1.0.1/next', { host: '10.1.0.1', plainHttp: true })
  await at.use('redirect')
  const away = at.seen.filter(({ url }) => url.pathname === '/next')
  expect(away.map(({ headers }) => headers.authorization)).toContain(undefined)
  expect(away.every(({ headers }) => headers.authorization === undefined)).toBe(true)
  expect(at.dialled).toContain('10.1.0.1:443')
})

test('the login stays where it belongs: an upload whose address has another scheme goes on as it began', async () => {
  await using at = await setting('https://10.1.0.1/next', { host: '10.1.0.1', plainHttp: true })
  await at.use('upload Location')
  expect(new Set(at.dialled)).toEqual(new Set(['10.1.0.1:80']))
})

test('layers that a manifest says are elsewhere are asked for at the registry alone', async () => {
  const layer = {
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    digest: digestOf(bytes),
    size: bytes.byteLength,
  }
  const image = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { ...layer, mediaType: mediaTypes.config },
      layers: [{ ...layer, urls: ['http://store.corp.example/layer', 'https://169.254.169.254/layer'] }],
    }),
  )
  const found = {
    ...headers,
    'docker-content-digest': digestOf(Buffer.from(image)),
    'content-length': `${image.byteLength}`,
  }
  await using server = await fakeServer(({ url }) =>
    url.pathname.includes('/manifests/') ? { status: 200, headers: found, body: image } : { status: 200, body: bytes },
  )
  using network = fakeNetwork(resolve, { '10.1.0.1': Number(server.host.split(':')[1]) })
  await using registry = ociRegistry({ host: '10.1.0.1', plainHttp: true })
  const context = testContext()
  const source = await registry.source({ repository: 'web', reference: 'v1' }, context)
  await source.manifest(source.root, context.signal)
  expect(await collect(source.blob(layer, { offsetBytes: 0, signal: context.signal }))).toEqual(bytes)
  expect(new Set(network.dialled)).toEqual(new Set(['10.1.0.1:80']))
})

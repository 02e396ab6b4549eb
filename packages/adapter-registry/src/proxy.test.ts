import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { testContext } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { proxyFor } from './proxy.js'
import { type OciRegistryOptions, ociRegistry } from './registry.js'
import { fakeServer } from './testing/fake-server.js'

const proxy = 'http://proxy.example:3128/'
const both = { HTTP_PROXY: 'http://plain.example:3128', HTTPS_PROXY: 'proxy.example:3128' }

describe('the proxy of the environment', () => {
  test.each([
    ['https://r.example.com', both, proxy],
    ['http://r.example.com', both, 'http://plain.example:3128/'],
    ['https://r.example.com', { https_proxy: proxy, HTTPS_PROXY: 'http://upper.example' }, proxy],
    ['https://r.example.com', { HTTP_PROXY: proxy }, undefined],
    ['https://r.example.com', { https_proxy: '', HTTPS_PROXY: proxy }, undefined],
    ['http://r.example.com', { HTTP_PROXY: proxy, REQUEST_METHOD: 'GET' }, undefined],
    ['http://r.example.com', { http_proxy: proxy, REQUEST_METHOD: 'GET' }, proxy],
    ['https://r.example.com', {}, undefined],
  ])('for %s with %o is %s', (url, environment, expected) => {
    expect(proxyFor(new URL(url), environment)?.href).toBe(expected)
  })

  test.each(['localhost', 'a.localhost', '127.0.0.1', '127.9.9.9', '[::1]', '2130706433'])(
    'is not that of %s',
    (host) => {
      expect(proxyFor(new URL(`https://${host}:5000`), both)).toBeUndefined()
    },
  )

  test.each([
    ['*', true],
    ['example.com', true],
    ['.example.com', true],
    ['*.example.com', true],
    ['EXAMPLE.com.', true],
    ['r.example.com:8443', true],
    ['r.example.com:443', false],
    ['other.com r.example.com', true],
    ['a.com,,b.com, r.example.com', true],
    ['ample.com', false],
    ['s.r.example.com', false],
    ['', false],
  ])('is not that of https://r.example.com:8443 with NO_PROXY %j: %s', (entries, without) => {
    const found = proxyFor(new URL('https://r.example.com:8443'), { ...both, NO_PROXY: entries })
    expect(found === undefined).toBe(without)
  })

  test.each([
    ['https://example.com', '.example.com', false],
    ['https://example.com', '*.example.com', false],
    ['https://10.1.2.3', '10.0.0.0/8', true],
    ['https://11.1.2.3', '10.0.0.0/8', false],
    ['https://10.1.2.3', '10.1.2.3', true],
    ['https://10.1.2.3', '10.1.2.3:443', true],
    ['https://10.1.2.3', '10.1.2.3:80', false],
    ['https://10.1.2.3', '10.0.0.0/99', false],
    ['https://[fd00::1]', 'fd00::1', true],
    ['https://[fd00::1]', '[fd00::1]:443', true],
    ['https://[fd00::1]', '[fd00::1]:80', false],
    ['https://[fd00::1]', 'fd00::/8', true],
    ['https://[fd00::2]', 'fd00::1', false],
  ])('%s with NO_PROXY %s goes without it: %s', (url, entries, without) => {
    expect(proxyFor(new URL(url), { ...both, no_proxy: entries }) === undefined).toBe(without)
  })

  test.each(['socks5://user:hunter2@proxy.example', 'http://user:hunter2@[bad', 'ftp://hunter2'])(
    'is refused without being quoted when it is %s',
    (value) => {
      const look = () => proxyFor(new URL('https://r.example.com'), { HTTPS_PROXY: value })
      expect(look).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
      expect(look).not.toThrow(/hunter2/)
    },
  )
})

interface FakeProxy extends AsyncDisposable {
  readonly host: string
  /** `CONNECT host:port` or `GET http://host/path`, with what was said to the proxy itself. */
  readonly seen: readonly { readonly line: string; readonly authorization: string | undefined }[]
}

/** Every host is the server at that port. */
async function fakeProxy(port: number, refuse?: number): Promise<FakeProxy> {
  const seen: { line: string; authorization: string | undefined }[] = []
  const note = ({ method, url, headers }: IncomingMessage) =>
    seen.push({ line: `${method} ${url}`, authorization: headers['proxy-authorization'] })
  const server = createServer((request, response) => {
    note(request)
    if (refuse !== undefined) return void response.writeHead(refuse).end()
    response.writeHead(200, { 'docker-distribution-api-version': 'through-proxy' }).end('{}')
  })
  server.on('connect', (request, socket) => {
    note(request)
    socket.on('error', () => undefined)
    if (refuse !== undefined) return void socket.end(`HTTP/1.1 ${refuse} No\r\n\r\n`)
    const far = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      far.pipe(socket).pipe(far)
    })
    far.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`, // it listens on a port, not on a path
    seen,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

describe('a registry behind a proxy', () => {
  beforeEach(() => {
    for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'])
      vi.stubEnv(name, undefined)
  })
  afterEach(() => vi.unstubAllEnvs())

  async function failureOf(options: OciRegistryOptions) {
    await using registry = ociRegistry({ ...options, retry: { tries: 1 } })
    return await registry
      .resolve({ repository: 'web', reference: 'v1' }, testContext())
      .catch((error: unknown) => error)
  }

  test('without TLS is asked for by its whole address, the proxy’s own login in its own header', async () => {
    await using at = await fakeProxy(0)
    vi.stubEnv('http_proxy', `http://ana:pw%40@${at.host}`)
    await using registry = ociRegistry({ host: 'r.example.com', plainHttp: true })
    expect(await registry.probe(testContext())).toMatchObject({ ok: true, details: { version: 'through-proxy' } })
    const authorization = `Basic ${Buffer.from('ana:pw@').toString('base64')}`
    expect(at.seen).toEqual([{ line: 'GET http://r.example.com/v2/', authorization }])
  })

  test('with TLS is reached through a tunnel, and what fails in there is its own', async () => {
    await using server = await fakeServer(() => ({ status: 200 }))
    await using at = await fakeProxy(Number(server.host.split(':')[1]))
    vi.stubEnv('https_proxy', at.host)
    expect(await failureOf({ host: 'r.example.com' })).toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: `r.example.com cannot be reached: it does not speak TLS on that port (through the proxy ${at.host})`,
    })
    expect(at.seen.map(({ line }) => line)).toEqual(['CONNECT r.example.com:443'])
  })

  test.each([
    [403, false, false],
    [407, false, false],
    [502, true, false],
    [407, false, true],
  ])('whose proxy answers %i is told as that, without the proxy’s password', async (status, retryable, plainHttp) => {
    await using at = await fakeProxy(0, status)
    vi.stubEnv('https_proxy', `http://ana:hunter2@${at.host}`)
    vi.stubEnv('http_proxy', `http://ana:hunter2@${at.host}`)
    const failure = await failureOf({ host: 'r.example.com', plainHttp })
    expect(failure).toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: `r.example.com cannot be reached: the proxy ${at.host} answers ${status}`,
      hint: expect.stringContaining('HTTPS_PROXY'),
      effect: 'none',
      retryable,
      evidence: { host: 'r.example.com', proxy: at.host },
    })
    expect(`${failure} ${JSON.stringify(failure)}`).not.toContain('hunter2')
  })

  test('whose proxy is not there is told as that', async () => {
    vi.stubEnv('https_proxy', 'http://127.0.0.1:1')
    expect(await failureOf({ host: 'r.example.com' })).toMatchObject({
      message: 'r.example.com cannot be reached: nothing listens there (through the proxy 127.0.0.1:1)',
    })
  })

  test('is not sent inside by its words', async () => {
    await using at = await fakeProxy(0)
    vi.stubEnv('https_proxy', at.host)
    vi.stubEnv('http_proxy', at.host)
    const { connect: open } = await import('./connect.js')
    const http = open({ host: 'r.example.com', origin: 'https://r.example.com' })
    for (const inside of ['https://10.0.0.1/token', 'https://vault.internal/token', 'https://intranet/token']) {
      const asking = http.send({ method: 'GET', url: new URL(inside), headers: {}, context: testContext() })
      await expect(asking).rejects.toMatchObject({ code: 'REGISTRY_FAILED' })
    }
    await http.close()
    expect(at.seen).toEqual([])
  })

  test('on this machine is asked without it', async () => {
    await using server = await fakeServer(() => ({ status: 200 }))
    await using at = await fakeProxy(0)
    vi.stubEnv('http_proxy', at.host)
    await using registry = ociRegistry({ host: server.host, plainHttp: true })
    expect(await registry.probe(testContext())).toMatchObject({ ok: true })
    expect(at.seen).toEqual([])
  })
})

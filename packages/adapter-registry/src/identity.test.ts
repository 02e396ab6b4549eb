import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { testContext } from '@kiwi/core/testing'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type OciRegistryOptions, ociRegistry } from './registry.js'
import { temporaryDirectory } from './testing/image.js'

const made = await certificates()

describe.skipIf(made === undefined)('a registry with TLS (openssl makes the certificates)', () => {
  const { authority = '', server, client } = made ?? {}
  const clientCertificate = { certificate: client?.certificate ?? '', key: { secret: 'KEY' } }
  const context = testContext({ secrets: { KEY: client?.key ?? '' } })
  afterEach(() => vi.unstubAllEnvs())

  /** Answers whoever it trusts; `seen` has the name in the client's certificate. */
  async function listening(answer: (path: string, seen: number) => { status: number; location?: string }, ask = true) {
    const seen: (string | undefined)[] = []
    const secure = createServer(
      { key: server?.key, cert: server?.certificate, ca: authority, requestCert: true, rejectUnauthorized: ask },
      (request, response) => {
        seen.push((request.socket as TLSSocket).getPeerCertificate()?.subject?.CN as string | undefined) // an https server has no others
        const { status, ...headers } = answer(request.url ?? '', seen.length)
        response.writeHead(status, headers).end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN' }] }))
      },
    )
    await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve))
    return {
      host: `127.0.0.1:${(secure.address() as AddressInfo).port}`, // it listens on a port, not on a path
      seen,
      async [Symbol.asyncDispose]() {
        const closed = new Promise<void>((resolve) => secure.close(() => resolve()))
        secure.closeAllConnections()
        await closed
      },
    }
  }

  async function ask(options: OciRegistryOptions, within = context) {
    await using registry = ociRegistry({ ...options, retry: { tries: 1 } })
    return await registry.resolve({ repository: 'web', reference: 'v1' }, within).catch((error: unknown) => error)
  }

  test('is trusted for an authority of its own', async () => {
    await using at = await listening(() => ({ status: 404 }), false)
    expect(await ask({ host: at.host, certificateAuthority: authority })).toBeUndefined()
    expect(await ask({ host: at.host })).toMatchObject({ code: 'REGISTRY_UNREACHABLE', retryable: false })
  })

  test('that wants a certificate of its client is shown it', async () => {
    await using at = await listening(() => ({ status: 404 }))
    expect(await ask({ host: at.host, certificateAuthority: authority, clientCertificate })).toBeUndefined()
    expect(new Set(at.seen)).toEqual(new Set(['kiwi-client']))
    expect(await ask({ host: at.host, certificateAuthority: authority })).toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
    })
  })

  test('is shown it alone: not whom it sends to', async () => {
    await using store = await listening(() => ({ status: 404 }), false)
    await using at = await listening(() => ({ status: 307, location: `https://${store.host}/signed` }))
    expect(await ask({ host: at.host, certificateAuthority: authority, clientCertificate })).toBeUndefined()
    expect(new Set(at.seen)).toEqual(new Set(['kiwi-client']))
    expect(store.seen.length).toBeGreaterThan(0)
    expect(new Set(store.seen)).toEqual(new Set([undefined]))
  })

  test('is shown it through a tunnel too', async () => {
    await using at = await listening(() => ({ status: 404 }))
    const { createServer: createProxy } = await import('node:http')
    const { connect } = await import('node:net')
    const proxy = createProxy().on('connect', (_request, socket) => {
      const far = connect(Number(at.host.split(':')[1]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        far.pipe(socket).pipe(far)
      })
      far.on('error', () => socket.destroy())
      socket.on('error', () => far.destroy())
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const { port } = proxy.address() as AddressInfo // it listens on a port, not on a path
    vi.stubEnv('https_proxy', `http://127.0.0.1:${port}`)
    vi.stubEnv('no_proxy', '')
    const options = { host: 'r.example.com', certificateAuthority: authority, clientCertificate }
    expect(await ask(options)).toBeUndefined()
    expect(new Set(at.seen)).toEqual(new Set(['kiwi-client']))
    expect(await ask({ ...options, host: 'other.example.com' })).toMatchObject({
      message: expect.stringContaining('its certificate is for another host'),
    })
    proxy.close()
  })

  test('is not connected to while the key is missing, and is once it is there', async () => {
    await using at = await listening(() => ({ status: 404 }))
    const options = { host: at.host, certificateAuthority: authority, clientCertificate }
    await using registry = ociRegistry({ ...options, retry: { tries: 1 } })
    const place = { repository: 'web', reference: 'v1' }
    await expect(registry.resolve(place, testContext())).rejects.toMatchObject({ code: 'SECRET_MISSING' })
    expect(at.seen).toEqual([])
    expect(await registry.resolve(place, context)).toBeUndefined()
  })

  test.each([
    ['no PEM', 'hunter2-not-a-key'],
    ['another’s', server?.key ?? ''],
  ])('is told that a key is %s without any of it', async (_, key) => {
    const failure = await ask({ host: '127.0.0.1:1', clientCertificate }, testContext({ secrets: { KEY: key } }))
    expect(failure).toMatchObject({ code: 'INPUT_INVALID' })
    const [, line = 'hunter2'] = key.split('\n')
    expect(`${failure} ${JSON.stringify(failure)}`).not.toContain(line)
  })

  test('is told at once that an authority is no PEM', () => {
    const options = { host: 'r.example.com', certificateAuthority: '/etc/ssl/authority.pem' }
    expect(() => ociRegistry(options)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
  })
})

/** An authority, a server of it and a client of it. */
async function certificates() {
  await using directory = await temporaryDirectory()
  const at = (name: string) => join(directory.path, name)
  const run = (...values: readonly string[]) => promisify(execFile)('openssl', values)
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const sign = async (name: string, extensions: string) => {
    await run('req', ...curve, '-keyout', at(`${name}.key`), '-out', at('request'), '-subj', `/CN=kiwi-${name}`)
    await writeFile(at('extensions'), extensions)
    const by = ['-CA', at('authority'), '-CAkey', at('authority.key'), '-CAcreateserial', '-days', '2']
    await run('x509', '-req', '-in', at('request'), ...by, '-extfile', at('extensions'), '-out', at(name))
    return { key: await readFile(at(`${name}.key`), 'utf8'), certificate: await readFile(at(name), 'utf8') }
  }
  try {
    const self = [
      '-x509',
      '-days',
      '2',
      '-keyout',
      at('authority.key'),
      '-out',
      at('authority'),
      '-subj',
      '/CN=authority',
    ]
    await run('req', ...curve, ...self)
    return {
      authority: await readFile(at('authority'), 'utf8'),
      server: await sign('server', 'subjectAltName=IP:127.0.0.1,DNS:r.example.com'),
      client: await sign('client', 'extendedKeyUsage=clientAuth'),
    }
  } catch {
    console.warn('openssl is missing: certificates of clients are not tested')
    return undefined
  }
}

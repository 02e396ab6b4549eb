import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { promisify } from 'node:util'
import { testContext } from '@kiwi/core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OciRegistryOptions, ociRegistry } from './registry.js'
import { fakeServer, jsonAnswer } from './testing/fake-server.js'
import { temporaryDirectory } from './testing/image.js'

const context = testContext()
const place = { repository: 'web', reference: 'v1' }

async function failure(options: OciRegistryOptions) {
  await using registry = ociRegistry({ ...options, retry: { tries: 1 } })
  return await registry.resolve(place, context).catch((error: unknown) => error)
}

async function listening(server: Server) {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port, // it listens on a port, not on a path
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}

test('TLS on a port without it is told as that', async () => {
  await using server = await fakeServer(() => jsonAnswer(200, {}))
  expect(await failure({ host: server.host })).toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
    message: `${server.host} cannot be reached: it does not speak TLS on that port`,
    hint: 'Set plainHttp for this registry.',
    retryable: false,
    effect: 'none',
  })
})

test('a server that breaks the TLS handshake off is told as that', async () => {
  await using server = await listening(createTlsServer({}))
  expect(await failure({ host: `127.0.0.1:${server.port}` })).toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
    message: `127.0.0.1:${server.port} cannot be reached: it refuses the TLS connection`,
    retryable: false,
  })
})

const certified = await certificate()

describe.skipIf(certified === undefined)('a server with a certificate that it signed itself (openssl makes it)', () => {
  const { key, certificate: cert } = certified ?? {}
  let server: Awaited<ReturnType<typeof listening>>
  beforeAll(async () => {
    server = await listening(createSecureServer({ key, cert }, (_, response) => void response.writeHead(404).end()))
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('is not trusted, and what to give is said', async () => {
    expect(await failure({ host: `127.0.0.1:${server.port}` })).toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringContaining('its certificate is not trusted'),
      hint: expect.stringContaining('certificateAuthority'),
      retryable: false,
    })
  })

  test('is known by its host', async () => {
    expect(await failure({ host: `localhost:${server.port}`, certificateAuthority: cert })).toMatchObject({
      message: `localhost:${server.port} cannot be reached: its certificate is for another host`,
      hint: expect.stringContaining('host name that the certificate has'),
    })
  })

  test('is spoken to when it is trusted', async () => {
    const error = await failure({ host: `127.0.0.1:${server.port}`, certificateAuthority: cert })
    expect(error).toMatchObject({ code: 'REGISTRY_FAILED' })
  })

  test('is not spoken to without TLS, and the error hints at it', async () => {
    expect(await failure({ host: `127.0.0.1:${server.port}`, plainHttp: true })).toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      hint: expect.stringContaining('plainHttp'),
    })
  })
})

async function certificate() {
  await using directory = await temporaryDirectory()
  const [keyFile, file] = [join(directory.path, 'key.pem'), join(directory.path, 'certificate.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile]
  const subject = ['-subj', '/CN=kiwi-test', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2', '-out', file]
  try {
    await promisify(execFile)('openssl', ['req', '-x509', ...curve, ...subject])
    return { key: await readFile(keyFile, 'utf8'), certificate: await readFile(file, 'utf8') }
  } catch {
    console.warn('openssl is missing: certificates are not tested')
    return undefined
  }
}

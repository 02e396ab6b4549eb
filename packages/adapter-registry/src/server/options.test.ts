import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { digestOf, mediaTypes, pipe } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { describe, expect, test } from 'vitest'
import { embeddedRegistry } from '../embedded/index.js'
import { randomImage, temporaryDirectory } from '../testing/image.js'
import { type ServeRegistryOptions, serveRegistry } from './index.js'

async function served(options: Omit<ServeRegistryOptions, 'directory'>) {
  const directory = await temporaryDirectory()
  const server = await serveRegistry({ directory: directory.path, ...options })
  const image = randomImage({ layers: 1 })
  await using registry = embeddedRegistry({ directory: directory.path })
  await pipe(image, registry.sink('web'), { tag: 'v1' }, testContext())
  return {
    image,
    ask: (path: string, init?: RequestInit) => fetch(new URL(path, `http://${server.address}`), init),
    async [Symbol.asyncDispose]() {
      await server.close()
      await directory[Symbol.asyncDispose]()
    },
  }
}

const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
const refusal = async (answer: Response) => [answer.status, JSON.parse(await answer.text()).errors[0].code]

describe('a sign-in', () => {
  test('asks for name and password, and takes only a pair that belongs together', async () => {
    await using server = await served({ signIn: { users: { ana: 'pass:word', ben: 'other' } } })
    const asked = await server.ask('/v2/')
    expect(asked.headers.get('www-authenticate')).toBe('Basic realm="kiwi"')
    expect(await refusal(asked)).toEqual([401, 'UNAUTHORIZED'])
    const status = async (text: string) => (await server.ask('/v2/', { headers: basic(text) })).status
    expect(await Promise.all(['ana:pass:word', 'ben:other'].map(status))).toEqual([200, 200])
    const wrong = ['ana:other', 'ana:', 'ana', ':', 'carl:', 'carl:other', '__proto__:x', 'constructor:']
    expect(await Promise.all(wrong.map(status))).toEqual(wrong.map(() => 401))
    expect((await server.ask('/v2/', { headers: { authorization: 'Bearer token' } })).status).toBe(401)
    expect((await server.ask('/v2/web/manifests/v1', { method: 'DELETE' })).status).toBe(401)
  })

  test('may ask a function', async () => {
    const users = async (username: string, password: string) => username === 'ana' && password === 'päss'
    await using server = await served({ signIn: { users } })
    expect((await server.ask('/v2/', { headers: basic('ana:päss') })).status).toBe(200)
    expect((await server.ask('/v2/', { headers: basic('ana:pass') })).status).toBe(401)
  })

  test('may let everybody pull, and nobody else push', async () => {
    await using server = await served({ signIn: { users: { ana: 'secret' }, anonymousPull: true } })
    expect((await server.ask('/v2/')).status).toBe(401)
    expect((await server.ask('/v2/web/manifests/v1')).status).toBe(200)
    expect((await server.ask('/v2/web/manifests/v1', { headers: basic('ana:wrong') })).status).toBe(401)
    expect((await server.ask('/v2/web/blobs/uploads/', { method: 'POST' })).status).toBe(401)
    const headers = basic('ana:secret')
    expect((await server.ask('/v2/web/blobs/uploads/', { method: 'POST', headers })).status).toBe(202)
  })
})

test('a read-only server gives everything and takes nothing', async () => {
  await using server = await served({ readOnly: true })
  const { digest } = server.image.root
  expect((await server.ask('/v2/web/manifests/v1')).status).toBe(200)
  for (const [method, path] of [
    ['POST', '/v2/web/blobs/uploads/'],
    ['PUT', '/v2/web/manifests/v2'],
    ['DELETE', `/v2/web/manifests/${digest}`],
  ] as const)
    expect(await refusal(await server.ask(path, { method }))).toEqual([403, 'DENIED'])
})

test('a server without deletes keeps what was pushed, and lets uploads be cancelled', async () => {
  await using server = await served({ deletes: false })
  const remove = (path: string) => server.ask(path, { method: 'DELETE' })
  const { root, layers } = server.image
  const paths = [
    'manifests/v1',
    `manifests/${root.digest}`,
    `blobs/${layers[0]?.digest}`,
    'blobs/uploads/x%2Fmanifests%2Fv1',
  ]
  for (const path of paths) {
    const answer = await remove(`/v2/web/${path}`)
    expect(answer.headers.get('allow')).not.toContain('DELETE')
    expect(await refusal(answer)).toEqual([405, 'UNSUPPORTED'])
  }
  const upload = await server.ask('/v2/web/blobs/uploads/', { method: 'POST' })
  expect((await remove(upload.headers.get('location') ?? '')).status).toBe(204)
})

test('blobs and manifests beyond their limits are refused, and nothing of them is kept', async () => {
  await using server = await served({ blobBytes: 1000, manifestBytes: 2000 })
  const push = async (bytes: Uint8Array<ArrayBuffer>) => {
    const { headers } = await server.ask('/v2/web/blobs/uploads/', { method: 'POST' })
    const path = `${headers.get('location')}?digest=${digestOf(bytes)}`
    return server.ask(path, { method: 'PUT', body: bytes })
  }
  expect((await push(randomBytes(1000))).status).toBe(201)
  expect(await refusal(await push(randomBytes(1001)))).toEqual([413, 'SIZE_INVALID'])
  const put = (size: number) => {
    const manifest = JSON.stringify({ mediaType: mediaTypes.index, manifests: [], annotations: { x: '' } })
    const body = manifest.replace('""', `"${'x'.repeat(size - manifest.length)}"`)
    return server.ask('/v2/web/manifests/v2', { method: 'PUT', body, headers: { 'content-type': mediaTypes.index } })
  }
  expect((await put(2000)).status).toBe(201)
  expect(await refusal(await put(2001))).toEqual([413, 'SIZE_INVALID'])
})

test('a manifest of 4 MiB is taken, as the specification asks', async () => {
  await using server = await served({})
  const annotations = { x: 'x'.repeat(4 * 1024 * 1024 - 200) }
  const body = JSON.stringify({ mediaType: mediaTypes.index, manifests: [], annotations })
  const headers = { 'content-type': mediaTypes.index }
  expect((await server.ask('/v2/web/manifests/big', { method: 'PUT', body, headers })).status).toBe(201)
})

test('whoever has a manifest or blob already is told so in place of the bytes', async () => {
  await using server = await served({})
  const [layer] = server.image.layers
  for (const path of ['manifests/v1', `blobs/${layer?.digest}`]) {
    const etag = (await server.ask(`/v2/web/${path}`, { method: 'HEAD' })).headers.get('etag') ?? ''
    const again = await server.ask(`/v2/web/${path}`, { headers: { 'if-none-match': `"other", W/${etag}` } })
    expect([again.status, await again.text()]).toEqual([304, ''])
    expect((await server.ask(`/v2/web/${path}`, { headers: { 'if-none-match': '"other"' } })).status).toBe(200)
  }
  const changed = { range: 'bytes=0-1', 'if-range': '"other"' }
  expect((await server.ask(`/v2/web/blobs/${layer?.digest}`, { headers: changed })).status).toBe(200)
})

test('a manifest gets all the tags that are named with it', async () => {
  await using server = await served({})
  const manifest = await server.ask('/v2/web/manifests/v1')
  const init = { method: 'PUT', body: await manifest.text(), headers: { 'content-type': mediaTypes.manifest } }
  const { digest } = server.image.root
  const answer = await server.ask(`/v2/web/manifests/${digest}?tag=v2&tag=v3`, init)
  expect([answer.status, answer.headers.get('oci-tag')]).toEqual([201, 'v2, v3'])
  expect((await server.ask('/v2/web/manifests/v3')).headers.get('docker-content-digest')).toBe(digest)
  expect(await refusal(await server.ask(`/v2/web/manifests/${digest}?tag=../x`, init))).toEqual([400, 'TAG_INVALID'])
})

test('many referrers come in pages that miss none', async () => {
  await using server = await served({})
  const subject = server.image.root
  const put = (index: number) => {
    const body = JSON.stringify({ artifactType: 'text/note', annotations: { index }, subject, layers: [] })
    return server.ask(`/v2/web/manifests/n${index}`, {
      method: 'PUT',
      body,
      headers: { 'content-type': mediaTypes.manifest },
    })
  }
  for (let index = 0; index < 510; index += 10)
    await Promise.all(Array.from({ length: 10 }, (_, more) => put(index + more)))
  const found = new Set<string>()
  let next: string | undefined = `/v2/web/referrers/${subject.digest}?artifactType=text/note`
  for (; next !== undefined; ) {
    const answer = await server.ask(next)
    for (const { digest } of JSON.parse(await answer.text()).manifests) found.add(digest)
    next = /<([^>]*)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1]
  }
  expect(found.size).toBe(510)
})

test('every refusal has the form of the specification, also of an unknown path or method', async () => {
  await using server = await served({})
  expect(await refusal(await server.ask('/'))).toEqual([404, 'UNSUPPORTED'])
  expect(await refusal(await server.ask('/v2/web/unknown'))).toEqual([404, 'UNSUPPORTED'])
  const answer = await server.ask('/v2/web/tags/list', { method: 'POST' })
  expect(answer.headers.get('allow')).toBe('GET, HEAD')
  expect(await refusal(answer)).toEqual([405, 'UNSUPPORTED'])
  expect(await refusal(await server.ask('/v2/', { method: 'POST' }))).toEqual([405, 'UNSUPPORTED'])
})

test('speaks TLS with the certificate it is given', async () => {
  await using directory = await temporaryDirectory()
  const at = (name: string) => join(directory.path, name)
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '1']
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', ...subject]
  await promisify(execFile)('openssl', [...made, '-keyout', at('key'), '-out', at('certificate')])
  const [certificate, key] = await Promise.all([readFile(at('certificate'), 'utf8'), readFile(at('key'), 'utf8')])
  await using server = await serveRegistry({ directory: at('registry'), tls: { certificate, key } })
  const status = await new Promise((resolve, reject) => {
    request(`https://${server.address}/v2/`, { ca: certificate, agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
      .once('error', reject)
      .end()
  })
  expect(status).toBe(200)
})

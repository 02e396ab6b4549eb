import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf, mediaTypes, pipe } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { embeddedRegistry } from '../embedded/index.js'
import { randomImage, temporaryDirectory } from '../testing/image.js'
import { serveRegistry } from './index.js'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let server: Awaited<ReturnType<typeof serveRegistry>>
beforeEach(async () => {
  directory = await temporaryDirectory()
  server = await serveRegistry({ directory: directory.path })
})
afterEach(async () => {
  await server.close()
  await directory[Symbol.asyncDispose]()
})

const ask = (path: string, init?: RequestInit) => fetch(new URL(path, `http://${server.address}`), init)
const refusal = async (answer: Response) => [answer.status, JSON.parse(await answer.text()).errors[0].code]

async function startUpload(repository = 'web'): Promise<string> {
  const answer = await ask(`/v2/${repository}/blobs/uploads/`, { method: 'POST' })
  expect(answer.status).toBe(202)
  return answer.headers.get('location') ?? ''
}

async function pushBlob(bytes: Uint8Array<ArrayBuffer>, repository = 'web'): Promise<string> {
  const digest = digestOf(bytes)
  const answer = await ask(`${await startUpload(repository)}?digest=${digest}`, { method: 'PUT', body: bytes })
  expect(answer.status).toBe(201)
  return digest
}

async function pushImage(tag: string, repository = 'web') {
  const image = randomImage({ layers: 1 })
  await using registry = embeddedRegistry({ directory: directory.path })
  await pipe(image, registry.sink(repository), { tag }, testContext())
  return image
}

describe('uploads', () => {
  const patch = (location: string, body: string, range?: string) =>
    ask(location, { method: 'PATCH', body, headers: range ? { 'content-range': range } : {} })

  test('take a blob in chunks, and say how far they are', async () => {
    const location = await startUpload()
    expect((await patch(location, 'hello ', '0-5')).headers.get('range')).toBe('0-5')
    const status = await ask(location)
    expect([status.status, status.headers.get('range')]).toEqual([204, '0-5'])
    expect((await patch(location, 'world', '6-10')).status).toBe(202)
    const digest = digestOf(Buffer.from('hello world'))
    expect((await ask(`${location}?digest=${digest}`, { method: 'PUT' })).status).toBe(201)
    expect(await (await ask(`/v2/web/blobs/${digest}`)).text()).toBe('hello world')
  })

  test('refuse a chunk out of order or of another length than it says', async () => {
    const location = await startUpload()
    expect(await refusal(await patch(location, 'later', '100-104'))).toEqual([416, 'RANGE_INVALID'])
    expect(await refusal(await patch(location, 'short', '0-9'))).toEqual([400, 'SIZE_INVALID'])
    expect((await ask(location)).headers.get('range')).toBe('0-0')
  })

  test('refuse bytes that are not those of the digest, and keep nothing of them', async () => {
    const location = await startUpload()
    const digest = digestOf(Buffer.from('something else'))
    const answer = await ask(`${location}?digest=${digest}`, { method: 'PUT', body: 'bytes' })
    expect(await refusal(answer)).toEqual([400, 'DIGEST_INVALID'])
    expect((await ask(`/v2/web/blobs/${digest}`)).status).toBe(404)
    expect(await readdir(join(directory.path, 'uploads'))).toEqual([])
    expect(await refusal(await ask(location))).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
  })

  test('go on in another process that serves the folder', async () => {
    const location = await startUpload()
    await patch(location, 'first ')
    await using second = await serveRegistry({ directory: directory.path })
    const other = `http://${second.address}${location}`
    await fetch(other, { method: 'PATCH', body: 'second ' })
    await patch(location, 'third')
    const digest = digestOf(Buffer.from('first second third'))
    expect((await fetch(`${other}?digest=${digest}`, { method: 'PUT' })).status).toBe(201)
  })

  test('are gone after DELETE', async () => {
    const location = await startUpload()
    expect((await ask(location, { method: 'DELETE' })).status).toBe(204)
    expect((await ask(location)).status).toBe(404)
  })
})

describe('blobs', () => {
  test('belong to the repository they were pushed to, until they are mounted', async () => {
    const digest = await pushBlob(Buffer.from('layer'), 'one')
    expect(await refusal(await ask(`/v2/two/blobs/${digest}`))).toEqual([404, 'BLOB_UNKNOWN'])
    const miss = await ask(`/v2/two/blobs/uploads/?mount=${digest}&from=three`, { method: 'POST' })
    expect(miss.status).toBe(202)
    const mount = await ask(`/v2/two/blobs/uploads/?mount=${digest}&from=one`, { method: 'POST' })
    expect([mount.status, mount.headers.get('location')]).toEqual([201, `/v2/two/blobs/${digest}`])
    expect((await ask(`/v2/two/blobs/${digest}`, { method: 'HEAD' })).headers.get('content-length')).toBe('5')
  })

  test('are given in ranges', async () => {
    const bytes = randomBytes(1000)
    const digest = await pushBlob(bytes)
    const part = async (range: string) => {
      const answer = await ask(`/v2/web/blobs/${digest}`, { headers: { range } })
      return [answer.status, answer.headers.get('content-range'), Buffer.from(await answer.arrayBuffer())]
    }
    expect(await part('bytes=10-19')).toEqual([206, 'bytes 10-19/1000', bytes.subarray(10, 20)])
    expect(await part('bytes=990-')).toEqual([206, 'bytes 990-999/1000', bytes.subarray(990)])
    expect(await part('bytes=-5')).toEqual([206, 'bytes 995-999/1000', bytes.subarray(995)])
    expect(await part('bytes=5-99999')).toEqual([206, 'bytes 5-999/1000', bytes.subarray(5)])
    expect(await part('lines=1-2')).toEqual([200, null, bytes])
    expect((await part('bytes=1000-')).slice(0, 2)).toEqual([416, 'bytes */1000'])
  })

  test('may be empty', async () => {
    const digest = await pushBlob(Buffer.alloc(0))
    const answer = await ask(`/v2/web/blobs/${digest}`)
    expect([answer.status, await answer.text()]).toEqual([200, ''])
  })

  test('can be deleted from one repository and stay in another', async () => {
    const digest = await pushBlob(Buffer.from('shared'), 'one')
    await pushBlob(Buffer.from('shared'), 'two')
    expect((await ask(`/v2/one/blobs/${digest}`, { method: 'DELETE' })).status).toBe(202)
    expect((await ask(`/v2/one/blobs/${digest}`)).status).toBe(404)
    expect((await ask(`/v2/two/blobs/${digest}`)).status).toBe(200)
  })
})

describe('manifests', () => {
  const put = (reference: string, value: unknown, type: string = mediaTypes.manifest) =>
    ask(`/v2/web/manifests/${reference}`, {
      method: 'PUT',
      body: typeof value === 'string' ? value : JSON.stringify(value),
      headers: { 'content-type': type },
    })

  test('are given by tag and by digest with their own type', async () => {
    const { root } = await pushImage('v1')
    for (const reference of ['v1', root.digest]) {
      const answer = await ask(`/v2/web/manifests/${reference}`)
      expect(answer.headers.get('content-type')).toBe(mediaTypes.manifest)
      expect(answer.headers.get('docker-content-digest')).toBe(root.digest)
      expect(digestOf(Buffer.from(await answer.arrayBuffer()))).toBe(root.digest)
    }
  })

  test('are refused when a part is missing, the type is another, or the digest is another', async () => {
    const missing = digestOf(Buffer.from('missing'))
    const config = { mediaType: mediaTypes.config, digest: missing, size: 7 }
    expect(await refusal(await put('v1', { config, layers: [] }))).toEqual([400, 'MANIFEST_BLOB_UNKNOWN'])
    expect(await refusal(await put('v1', 'no json'))).toEqual([400, 'MANIFEST_INVALID'])
    const index = { mediaType: mediaTypes.index, manifests: [] }
    expect(await refusal(await put('v1', index))).toEqual([400, 'MANIFEST_INVALID'])
    expect(await refusal(await put(missing, index, mediaTypes.index))).toEqual([400, 'DIGEST_INVALID'])
    expect((await ask('/v2/web/manifests/v1')).status).toBe(404)
  })

  test('lose their tags when they are deleted by digest, and only the tag by tag', async () => {
    const { root } = await pushImage('v1')
    const other = await pushImage('v2')
    expect((await ask('/v2/web/manifests/v2', { method: 'DELETE' })).status).toBe(202)
    expect((await ask(`/v2/web/manifests/${other.root.digest}`)).status).toBe(200)
    expect((await ask(`/v2/web/manifests/${root.digest}`, { method: 'DELETE' })).status).toBe(202)
    expect((await ask('/v2/web/manifests/v1')).status).toBe(404)
    expect(await (await ask('/v2/web/tags/list')).json()).toEqual({ name: 'web', tags: [] })
  })

  test('that name a subject are its referrers', async () => {
    const subject = { mediaType: mediaTypes.manifest, digest: digestOf(Buffer.from('subject')), size: 7 }
    const answer = await put('signature', { artifactType: 'text/signature', layers: [], subject })
    expect(answer.headers.get('oci-subject')).toBe(subject.digest)
    const list = async (query = '') =>
      JSON.parse(await (await ask(`/v2/web/referrers/${subject.digest}${query}`)).text()).manifests
    expect(await list()).toMatchObject([
      { artifactType: 'text/signature', digest: answer.headers.get('docker-content-digest') },
    ])
    expect(await list('?artifactType=other')).toEqual([])
  })
})

describe('tags', () => {
  test('come in order and in pages', async () => {
    for (const tag of ['v2', 'latest', 'v1']) await pushImage(tag)
    const first = await ask('/v2/web/tags/list?n=2')
    expect(await first.json()).toEqual({ name: 'web', tags: ['latest', 'v1'] })
    expect(first.headers.get('link')).toBe('</v2/web/tags/list?n=2&last=v1>; rel="next"')
    const second = await ask('/v2/web/tags/list?n=2&last=v1')
    expect([await second.json(), second.headers.get('link')]).toEqual([{ name: 'web', tags: ['v2'] }, null])
  })

  test('of a repository that nobody pushed to are unknown', async () => {
    expect(await refusal(await ask('/v2/nothing/tags/list'))).toEqual([404, 'NAME_UNKNOWN'])
  })
})

describe('names', () => {
  test.each([
    '/v2/..%2f..%2fetc/blobs/uploads/',
    '/v2/web/../../x/blobs/uploads/',
    '/v2/_uploads/blobs/uploads/',
    '/v2/Web/blobs/uploads/',
    '/v2/web%00/blobs/uploads/',
    '/v2/%zz/blobs/uploads/',
  ])('that could leave the folder or are malformed start nothing: %s', async (path) => {
    const answer = await ask(path, { method: 'POST' })
    expect([400, 404]).toContain(answer.status)
    expect(await readdir(directory.path)).toEqual([])
  })

  test.each(['..%2f..%2fsecret', '.hidden', 'sha256:abc', 'sha256:..%2f..'])(
    'of manifests are checked: %s',
    async (name) => {
      expect([400, 404]).toContain((await ask(`/v2/web/manifests/${name}`)).status)
      expect([400, 404]).toContain((await ask(`/v2/web/blobs/${name}`)).status)
      expect([400, 404]).toContain((await ask(`/v2/web/blobs/uploads/${name}`)).status)
    },
  )
})

test('says that it speaks the protocol, and refuses methods it does not have', async () => {
  expect((await ask('/v2/')).headers.get('docker-distribution-api-version')).toBe('registry/2.0')
  expect((await ask('/v2/web/tags/list', { method: 'POST' })).status).toBe(405)
  expect((await ask('/other')).status).toBe(404)
})

test('names the port that is taken', async () => {
  const port = Number(server.address.split(':')[1])
  await expect(serveRegistry({ directory: directory.path, port })).rejects.toMatchObject({
    code: 'REGISTRY_FAILED',
    message: `the embedded registry cannot listen on 127.0.0.1:${port}`,
  })
})

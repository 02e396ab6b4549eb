import { randomBytes } from 'node:crypto'
import { type BlobFact, digestOf, KiwiError, mediaTypes, pipe } from '@kiwi/core'
import { memoryImages, testContext } from '@kiwi/core/testing'
import { describe, expect, test } from 'vitest'
import { ociRegistry } from './registry.js'
import { fakeServer } from './testing/fake-server.js'
import { type FaultServerOptions, faultServer } from './testing/fault-server.js'
import { chunksOf, collect, randomImage } from './testing/image.js'

const login = { username: 'kiwi', password: 's3cret-P@ss' }
const mediaType = mediaTypes.layerGzip
const named = (bytes: Uint8Array) => ({ digest: digestOf(bytes), size: bytes.byteLength })
const blobOf = (bytes: Uint8Array) => ({
  mediaType,
  expected: named(bytes),
  async *open(offset: number) {
    for (let at = offset; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536)
  },
})

async function setting(options: FaultServerOptions = {}, more: { readonly chunkBytes?: number } = {}) {
  const server = await faultServer(options)
  const waits: number[] = []
  const registry = ociRegistry({
    host: server.host,
    plainHttp: true,
    retry: { wait: async (milliseconds) => void waits.push(milliseconds) },
    ...(options.login && { credentials: { username: login.username, password: { secret: 'PASSWORD' } } }),
    ...more,
  })
  const context = testContext({ secrets: { PASSWORD: login.password } })
  const lines = (...kinds: string[]) =>
    server.exchanges
      .filter(({ kind }) => kinds.length === 0 || kinds.includes(kind))
      .map(({ method, kind, status }) => `${method} ${kind} ${status}`)
  return {
    server,
    registry,
    sink: registry.sink('web'),
    context,
    waits,
    lines,
    states: () => context.facts.filter((fact): fact is BlobFact => fact.type === 'blob').map(({ state }) => state),
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

describe('trying again', () => {
  test('waits longer each time, five tries in all, and takes up what the registry asks for', async () => {
    await using at = await setting({ fault: () => ({ kind: 'answer', status: 503 }) })
    expect(await failureOf(at.sink.has({ mediaType, ...named(randomBytes(9)) }, at.context))).toMatchObject({
      code: 'REGISTRY_FAILED',
    })
    expect(at.server.exchanges).toHaveLength(5)
    for (const [index, base] of [500, 1000, 2000, 4000].entries()) {
      expect(at.waits[index]).toBeGreaterThanOrEqual(base / 2)
      expect(at.waits[index]).toBeLessThanOrEqual(base)
    }
  })

  test.each([
    ['seconds', () => '7'],
    ['a date', () => new Date(Date.now() + 7000).toUTCString()],
  ])('waits as long as Retry-After says in %s', async (_, header) => {
    await using at = await setting({
      fault: (_exchange, count) =>
        count === 1 ? { kind: 'answer', status: 429, headers: { 'retry-after': header() } } : undefined,
    })
    await at.sink.blob(blobOf(randomBytes(100)), at.context)
    expect(at.waits[0]).toBeGreaterThan(4900)
    expect(at.waits[0]).toBeLessThanOrEqual(8000)
  })

  test('does not wait for an hour, and says how long it would take', async () => {
    await using at = await setting({
      fault: () => ({ kind: 'answer', status: 429, headers: { 'retry-after': '3600' } }),
    })
    expect(await failureOf(at.sink.blob(blobOf(randomBytes(100)), at.context))).toMatchObject({
      code: 'RATE_LIMITED',
      evidence: { retryAfterSeconds: 3600 },
    })
    expect([at.server.exchanges.length, at.waits]).toEqual([1, []])
  })

  test('a refusal without words is asked for again with GET, for its words', async () => {
    await using at = await setting({
      fault: ({ method }) => ({ kind: 'answer', status: 403, ...(method === 'GET' && { body: 'no such project' }) }),
    })
    const failure = await failureOf(at.sink.has({ mediaType, ...named(randomBytes(9)) }, at.context))
    expect(failure).toMatchObject({ code: 'REGISTRY_DENIED', message: expect.stringContaining('no such project') })
  })
})

describe('an upload', () => {
  test('that is cut goes on where the registry is', async () => {
    const bytes = randomBytes(3_000_000)
    await using at = await setting({
      fault: ({ kind, method }) =>
        kind === 'upload' && method === 'PUT' && at.server.exchanges.filter((one) => one.method === 'PUT').length === 1
          ? { kind: 'cut', afterBytes: 1_700_001 }
          : undefined,
    })
    await at.sink.blob(blobOf(bytes), at.context)
    expect(at.server.blobs.get(digestOf(bytes))?.equals(bytes)).toBe(true)
    expect(at.lines()).toEqual([
      'POST start 202',
      'PUT upload reset',
      'GET upload 204',
      'PATCH upload 202',
      'PUT upload 201',
    ])
    const patch = at.server.exchanges.find(({ method }) => method === 'PATCH')
    expect([patch?.range, patch?.bytes]).toEqual(['1700001-2999999', 1_299_999])
    expect(at.states()).toEqual(['retrying', 'done'])
  })

  test('that the registry forgot begins anew', async () => {
    const bytes = randomBytes(3_000_000)
    await using at = await setting({
      forgetsCut: true,
      fault: ({ method }, count) =>
        method === 'PUT' && count === 1 ? { kind: 'cut', afterBytes: 1_500_000 } : undefined,
    })
    await at.sink.blob(blobOf(bytes), at.context)
    expect(at.lines('start')).toHaveLength(2)
    expect(at.server.blobs.has(digestOf(bytes))).toBe(true)
  })

  test('whose last answer is lost is found, not sent again', async () => {
    const bytes = randomBytes(3_000_000)
    await using at = await setting({
      fault: ({ method }, count) => (method === 'PUT' && count === 1 ? { kind: 'lost-answer' } : undefined),
    })
    await at.sink.blob(blobOf(bytes), at.context)
    expect(at.lines()).toEqual(['POST start 202', 'PUT upload reset', 'GET upload 404', 'HEAD blob 200'])
  })

  test('whose token expires in the middle signs in again', async () => {
    const bytes = randomBytes(3_000_000)
    await using at = await setting({
      login,
      fault: ({ method }, count) => (method === 'PUT' && count === 1 ? { kind: 'expire' } : undefined),
    })
    await at.sink.blob(blobOf(bytes), at.context)
    expect(at.server.blobs.has(digestOf(bytes))).toBe(true)
    expect(at.server.tokens).toHaveLength(2)
  })

  test('in chunks finds the address that an answer left out, and goes on after a cut', async () => {
    const bytes = randomBytes(1_000_000)
    await using at = await setting(
      {
        fault: ({ method }, count) => {
          if (method === 'PATCH' && count === 1) return { kind: 'lost-location' }
          return method === 'PATCH' && count === 3 ? { kind: 'cut', afterBytes: 100_000 } : undefined
        },
      },
      { chunkBytes: 300_000 },
    )
    await at.sink.blob(blobOf(bytes), at.context)
    const ranges = at.server.exchanges.filter(({ method }) => method === 'PATCH').map(({ range }) => range)
    expect(ranges).toEqual(['0-299999', '300000-599999', '600000-899999', '700000-999999'])
    expect(at.server.blobs.get(digestOf(bytes))?.equals(bytes)).toBe(true)
  })

  test('that is too large for a proxy goes in chunks', async () => {
    const bytes = randomBytes(6 * 1024 * 1024)
    await using at = await setting({
      fault: ({ method }, count) =>
        method === 'PUT' && count === 1 ? { kind: 'answer', status: 413, body: '<html>' } : undefined,
    })
    await at.sink.blob(blobOf(bytes), at.context)
    expect(at.server.exchanges.filter(({ method }) => method === 'PATCH').map(({ bytes }) => bytes)).toEqual([
      4 * 1024 * 1024,
      2 * 1024 * 1024,
    ])
  })

  test('that gets nowhere ends after five tries, and is cancelled', async () => {
    await using at = await setting({
      fault: ({ method }) => (method === 'PUT' ? { kind: 'answer', status: 502, body: '<html>' } : undefined),
    })
    expect(await failureOf(at.sink.blob(blobOf(randomBytes(2_000_000)), at.context))).toMatchObject({
      code: 'REGISTRY_FAILED',
      evidence: { status: 502 },
    })
    expect(at.lines().filter((line) => line === 'PUT upload 502')).toHaveLength(5)
    expect(at.server.uploads.size).toBe(0)
  })

  test('that the registry says it takes, and does not, is not sent for ever', async () => {
    await using server = await fakeServer(({ method }) => {
      if (method === 'HEAD') return { status: 404 }
      return { status: method === 'GET' ? 204 : 202, headers: { location: '/upload', range: '0-9' } }
    })
    await using registry = ociRegistry({
      host: server.host,
      plainHttp: true,
      chunkBytes: 1000,
      retry: { wait: async () => undefined },
    })
    expect(await failureOf(registry.sink('web').blob(blobOf(randomBytes(5000)), testContext()))).toMatchObject({
      code: 'REGISTRY_FAILED',
      evidence: { sentBytes: 1010, storedBytes: 10 },
    })
    expect(server.seen.filter(({ method }) => method === 'PATCH')).toHaveLength(6)
    expect(server.seen.at(-1)?.method).toBe('DELETE')
  })

  test('whose content is not what was expected is never stored', async () => {
    const bytes = randomBytes(2_000_000)
    await using at = await setting()
    const upload = { ...blobOf(bytes), expected: named(randomBytes(2_000_000)) }
    expect(await failureOf(at.sink.blob(upload, at.context))).toMatchObject({ code: 'DIGEST_MISMATCH' })
    expect([at.server.blobs.size, at.server.uploads.size]).toEqual([0, 0])
  })

  test('of a stream that can be read once survives a lost answer at its end, and not a cut before', async () => {
    const parts = [randomBytes(400_000), randomBytes(400_000)]
    await using lost = await setting({
      fault: ({ method }, count) => (method === 'PATCH' && count === 1 ? { kind: 'lost-answer' } : undefined),
    })
    const stored = await lost.sink.blob({ mediaType, open: () => chunksOf(...parts) }, lost.context)
    expect(stored.digest).toBe(digestOf(Buffer.concat(parts)))
    await using cut = await setting({
      fault: ({ method }) => (method === 'PATCH' ? { kind: 'cut', afterBytes: 300_000 } : undefined),
    })
    expect(await failureOf(cut.sink.blob({ mediaType, open: () => chunksOf(...parts) }, cut.context))).toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      hint: expect.stringContaining('cannot be sent twice'),
    })
    expect(cut.server.uploads.size).toBe(0)
  })

  test('of one blob for two images happens once, and a failure of the first is not that of the second', async () => {
    const blob = blobOf(randomBytes(2_000_000))
    await using at = await setting()
    await Promise.all([at.sink.blob(blob, at.context), at.registry.sink('web').blob(blob, at.context)])
    expect(at.lines('start')).toHaveLength(1)
    expect(at.states().toSorted()).toEqual(['done', 'exists'])
    const other = blobOf(randomBytes(2_000_000))
    const stop = new AbortController()
    const first = at.sink.blob(other, testContext({ signal: stop.signal }))
    const second = at.sink.blob(other, at.context)
    stop.abort(new Error('stopped'))
    await expect(first).rejects.toThrow('stopped')
    await second
    expect(at.server.blobs.has(other.expected.digest)).toBe(true)
  })

  test('that is cancelled is gone from the registry within two seconds', async () => {
    await using at = await setting({
      fault: ({ method }) => (method === 'PUT' ? { kind: 'trickle', pieceBytes: 1, pauseMs: 50 } : undefined),
    })
    const stop = new AbortController()
    const sending = at.sink.blob(blobOf(randomBytes(20_000_000)), testContext({ signal: stop.signal }))
    const timer = setTimeout(() => stop.abort(new Error('stopped')), 100)
    const began = performance.now()
    await expect(sending).rejects.toThrow('stopped')
    clearTimeout(timer)
    expect(performance.now() - began).toBeLessThan(2100)
    expect(at.lines().at(-1)).toBe('DELETE upload 204')
  })
})

describe('a download', () => {
  async function stored(options: FaultServerOptions, bytes = randomBytes(1_000_000)) {
    const at = await setting(options)
    const image = randomImage({ layers: 1 })
    await pipe(image, at.sink, { tag: 'v1' }, at.context)
    at.server.blobs.set(digestOf(bytes), bytes)
    const source = await at.registry.source({ repository: 'web', reference: 'v1' }, at.context)
    const { signal } = at.context
    const read = () => collect(source.blob({ mediaType, ...named(bytes) }, { offsetBytes: 0, signal }))
    return Object.assign(at, { bytes, source, read })
  }

  test.each(['cut', 'truncate'] as const)('that is %s goes on from there, with the hash it has', async (kind) => {
    await using at = await stored({
      fault: (exchange, count) =>
        exchange.kind === 'blob' && exchange.method === 'GET' && count < 4 ? { kind, afterBytes: 100_000 } : undefined,
    })
    expect((await at.read()).equals(at.bytes)).toBe(true)
    const gets = at.server.exchanges.filter(({ kind, method }) => kind === 'blob' && method === 'GET')
    expect(gets.map(({ status }) => status)).toEqual([200, 206, 206, 206])
  })

  test('of damaged or of too many bytes is a mismatch', async () => {
    await using at = await stored({
      fault: ({ kind, method }) => (kind === 'blob' && method === 'GET' ? { kind: 'damage' } : undefined),
    })
    expect(await failureOf(at.read())).toMatchObject({ code: 'DIGEST_MISMATCH' })
    const { signal } = at.context
    const short = { mediaType, digest: digestOf(at.bytes), size: 1000 }
    expect(await failureOf(collect(at.source.blob(short, { offsetBytes: 10, signal })))).toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
  })

  test('of a manifest that is cut is asked for again', async () => {
    await using at = await stored({
      fault: ({ kind, method }, count) =>
        kind === 'manifest' && method === 'GET' && count < 3 ? { kind: 'cut', afterBytes: 10 } : undefined,
    })
    const copy = memoryImages()
    await pipe(at.source, copy.sink, { tag: 'copy' }, at.context)
    expect(at.lines('manifest').filter((line) => line.startsWith('GET'))).toHaveLength(3)
  })
})

describe('an image that is there', () => {
  test('costs one request when the tag is right, and two when only the tag is missing', async () => {
    await using at = await setting()
    const image = randomImage()
    await pipe(image, at.sink, { tag: 'v1' }, at.context)
    const before = at.server.exchanges.length
    expect(await pipe(image, at.sink, { tag: 'v1' }, at.context)).toEqual(image.root)
    expect(at.server.exchanges.length - before).toBe(1)
    expect(await pipe(image, at.sink, { tag: 'v2' }, at.context)).toEqual(image.root)
    expect(at.lines().slice(before)).toEqual(['HEAD manifest 200', 'HEAD manifest 404', 'PUT manifest 201'])
    expect(await pipe(image, at.sink, {}, at.context)).toEqual(image.root)
    expect(at.server.exchanges.length - before).toBe(4)
  })

  test('is looked for by its digest where the registry may take a manifest without its blobs', async () => {
    await using at = await setting({ distribution: false })
    const image = randomImage({ layers: 1 })
    await pipe(image, at.sink, { tag: 'v1' }, at.context)
    expect(at.lines('manifest')).toEqual(['HEAD manifest 404', 'HEAD manifest 404', 'PUT manifest 201'])
    await pipe(image, at.sink, { tag: 'v2' }, at.context)
    expect(at.lines('manifest').slice(3)).toEqual(['HEAD manifest 404', 'HEAD manifest 200', 'PUT manifest 201'])
  })

  test('is copied whole when the registry lacks a part of it', async () => {
    await using at = await setting()
    const image = randomImage({ layers: 1 })
    await pipe(image, at.sink, { tag: 'v1' }, at.context)
    const [layer] = image.layers
    at.server.blobs.delete(layer?.digest ?? '')
    await pipe(image, at.sink, { tag: 'v2' }, at.context)
    expect(at.server.blobs.has(layer?.digest ?? '')).toBe(true)
    expect(at.server.manifests.has('v2')).toBe(true)
  })
})

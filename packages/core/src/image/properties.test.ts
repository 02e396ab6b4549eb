import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Descriptor, ImageSink, ImageSource } from '../contracts/v1/image.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { testContext } from '../testing/context.js'
import { type MemoryImages, memoryImages } from '../testing/memory-image.js'
import { digestOf, verified } from './digest.js'
import { ociLayout } from './layout.js'
import { isIndex, mediaTypes, parseIndex, parseManifest } from './manifest.js'
import { pipe } from './pipe.js'
import { formatReference, parseReference } from './reference.js'
import { type Random, randomFrom } from './test-random.js'

const seeds = (count: number) => Array.from({ length: count }, (_, seed) => seed)

describe('an image reference', () => {
  const part = (random: Random) =>
    [
      random.pick(['a', 'web', '0', 'x1']),
      ...random.some(3, () => random.pick(['.', '_', '__', '-', '---']) + random.pick(['b', '9', 'app'])),
    ].join('')
  const hosts = [
    'localhost',
    'a.b',
    'A.Example',
    'x-y.z:5000',
    'localhost:1',
    '[::1]:5000',
    '[fe80::1]',
    '127.0.0.1:65535',
  ]
  const make = (random: Random) => {
    const host = random.chance(0.5) ? random.pick(hosts) : undefined
    const first = host === undefined ? random.pick(['node', 'library']) : part(random)
    const repository = [first, ...random.some(3, () => part(random))].join('/')
    const tag = random.chance(0.5) ? random.pick(['latest', '_', 'V1.0-x_y', '0', 'a'.repeat(128)]) : undefined
    const digest = random.chance(0.4) ? digestOf(random.bytes(4)) : undefined
    return { ...(host && { host }), repository, ...(tag && { tag }), ...(digest && { digest }) }
  }

  it('is read as it was written', () => {
    const random = randomFrom(11)
    for (let round = 0; round < 800; round += 1) {
      const parts = make(random)
      const text = formatReference(parts)
      expect(parseReference(text)).toEqual(parts)
      expect(formatReference(parseReference(text))).toBe(text)
    }
  })

  it('is either read and written back the same, or refused with its own error, whatever the text', () => {
    const random = randomFrom(12)
    const pieces = [
      'a',
      'B',
      '.',
      '/',
      ':',
      '@',
      '-',
      '_',
      '__',
      ' ',
      '\n',
      '\0',
      '..',
      'sha256:',
      'f'.repeat(64),
      '[',
      ']',
      '::',
      '5000',
      '%2f',
      '\ud800',
      'é',
      '\u202e',
      '$(id)',
      'localhost',
      '?',
      '#',
      '\\',
    ]
    let read = 0
    for (let round = 0; round < 3000; round += 1) {
      const text = random.chance(0.5)
        ? random.some(8, () => random.pick(pieces)).join('')
        : mutated(random, formatReference(make(random)), pieces)
      try {
        expect(formatReference(parseReference(text))).toBe(text)
        read += 1
      } catch (error) {
        if (!KiwiError.is(error)) throw error
        expect([text, error.code]).toEqual([text, 'IMAGE_REFERENCE_INVALID'])
      }
    }
    expect(read).toBeGreaterThan(100)
  })

  it('is refused, in few words, however long the text', () => {
    for (const text of [
      'a'.repeat(1_000_000),
      'a-'.repeat(500_000),
      '-'.repeat(1_000_000),
      'a/'.repeat(500_000),
      ':'.repeat(1_000_000),
    ]) {
      expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'IMAGE_REFERENCE_INVALID' }))
      try {
        parseReference(text)
      } catch (error) {
        expect(JSON.stringify(KiwiError.from(error).toRecord()).length).toBeLessThan(4000)
      }
    }
  })

  it('is not written where it would be read as something else', () => {
    const wrong = [
      { repository: 'localhost/a' },
      { repository: 'a.b/c' },
      { repository: 'a:b' },
      { repository: 'a', tag: '' },
      { host: 'plain', repository: 'a' },
      { repository: '' },
    ]
    for (const parts of wrong) {
      expect(() => formatReference(parts)).toThrow(expect.objectContaining({ code: 'IMAGE_REFERENCE_INVALID' }))
    }
  })

  function mutated(random: Random, text: string, pieces: readonly string[]): string {
    const at = random.below(text.length + 1)
    return text.slice(0, at) + (random.chance(0.7) ? random.pick(pieces) : '') + text.slice(at + random.below(3))
  }
})

describe('verified content', () => {
  async function* inChunks(random: Random, bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.byteLength; ) {
      const length = random.chance(0.2) ? 0 : random.below(40)
      yield bytes.subarray(at, at + length)
      at += length
    }
  }

  it('passes unchanged however it is cut into chunks, and never in full when it is anything else', async () => {
    const random = randomFrom(21)
    for (let round = 0; round < 150; round += 1) {
      const bytes = random.bytes(random.below(200))
      const expected = { digest: digestOf(bytes), size: bytes.byteLength }
      expect(Buffer.concat(await Array.fromAsync(verified(inChunks(random, bytes), expected)))).toEqual(
        Buffer.from(bytes),
      )
      const wrong = changed(random, bytes)
      await expect(Array.fromAsync(verified(inChunks(random, wrong), expected))).rejects.toMatchObject({
        code: 'DIGEST_MISMATCH',
      })
    }
  })

  it('stops as soon as there is too much of it', async () => {
    let given = 0
    async function* endless() {
      for (;;) {
        given += 1
        yield new Uint8Array(10)
      }
    }
    const expected = { digest: digestOf(new Uint8Array(25)), size: 25 }
    await expect(Array.fromAsync(verified(endless(), expected))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    expect(given).toBe(3)
  })
})

function changed(random: Random, bytes: Uint8Array): Uint8Array {
  const kind = bytes.byteLength === 0 ? 0 : random.below(3)
  if (kind === 0) return Buffer.concat([bytes, random.bytes(1 + random.below(3))])
  if (kind === 1) return bytes.subarray(0, random.below(bytes.byteLength))
  const copy = Uint8Array.from(bytes)
  const at = random.below(bytes.byteLength)
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8))
  return copy
}

describe('pipe', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'kiwi-pipe-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  it.each(seeds(15))(
    'moves exactly what is missing, children before parents, into memory and a layout (seed %i)',
    async (seed) => {
      const random = randomFrom(seed)
      const { images, root } = makeImage(random)
      for (const to of [intoMemory(), intoLayout(join(directory, 'layout'))]) {
        const all = blobsOf(images, root)
        const present = all.filter(() => random.chance(0.4))
        for (const blob of present) await to.sink.blob(uploadOf(images, blob), testContext())
        const watched = watch(to.sink, images)
        expect(await pipe(chunked(random, images.source(root)), watched.sink, { tag: 'v1' }, testContext())).toEqual(
          plain(root),
        )
        const had = new Set(present.map(({ digest }) => digest))
        expect(watched.moved.toSorted()).toEqual(
          all
            .map(({ digest }) => digest)
            .filter((digest) => !had.has(digest))
            .toSorted(),
        )
        expect(watched.tags).toEqual([...watched.tags.slice(1).map(() => undefined), 'v1'])
        expect(await copyOf(to.source(root))).toEqual(await copyOf(images.source(root)))
        const again = watch(to.sink, images)
        await pipe(images.source(root), again.sink, {}, testContext())
        expect(again.moved).toEqual([])
      }
    },
  )

  it.each(seeds(24))(
    'fails with the first fault, stores nothing wrong, and goes on from there when it is called again (seed %i)',
    async (seed) => {
      const random = randomFrom(1000 + seed)
      const { images, root } = makeImage(random)
      const to = intoLayout(join(directory, 'layout'))
      const all = blobsOf(images, root)
      const victim = random.pick(all).digest
      const fault = random.pick(['breaks', 'ends early', 'is other bytes', 'sink fails', 'is cancelled'])
      const stopper = new AbortController()
      const context = testContext({ signal: stopper.signal })
      const watched = watch(to.sink, images)
      const source = faulty(random, images.source(root), victim, fault, stopper)
      const sink: ImageSink = {
        ...watched.sink,
        blob: async (upload, given) => {
          if (fault === 'sink fails' && upload.expected?.digest === victim) throw new KiwiError('DISK_FULL', 'no space')
          return watched.sink.blob(upload, given)
        },
      }
      const codes: Readonly<Record<string, object>> = {
        breaks: { code: 'REGISTRY_UNREACHABLE' },
        'ends early': { code: 'DIGEST_MISMATCH' },
        'is other bytes': { code: 'DIGEST_MISMATCH' },
        'sink fails': { code: 'DISK_FULL' },
        'is cancelled': { code: 'CANCELLED' },
      }
      await expect(pipe(source, sink, { tag: 'v1' }, context)).rejects.toMatchObject(codes[fault] ?? {})
      expect(await ociLayout(to.directory).roots()).toEqual([])
      for (const name of stored(to.directory)) {
        expect(images.contents.has(`sha256:${name}`)).toBe(true)
        expect(
          await Array.fromAsync(
            to.source(root).blob(
              {
                mediaType: '',
                digest: `sha256:${name}`,
                size: images.contents.get(`sha256:${name}`)?.byteLength ?? -1,
              },
              reading(),
            ),
          ),
        ).toBeDefined()
      }
      expect(namesIn(join(to.directory, 'blobs')).filter((name) => name !== 'sha256')).toEqual([])
      const before = stored(to.directory)
      const second = watch(to.sink, images)
      await pipe(images.source(root), second.sink, { tag: 'v1' }, testContext())
      const missing = all.map(({ digest }) => digest).filter((digest) => !before.includes(digest.slice(7)))
      expect(second.moved.toSorted()).toEqual(missing.toSorted())
      expect(await copyOf(to.source(root))).toEqual(await copyOf(images.source(root)))
    },
  )

  it('takes no manifest on trust', async () => {
    const { images, root } = makeImage(randomFrom(5))
    images.contents.set(root.digest, Buffer.from('{"layers":[],"config":{}}'))
    const to = intoMemory()
    await expect(pipe(images.source(root), to.sink, {}, testContext())).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
  })

  it.each(['sha256:../../../../etc/passwd', '../x', 'sha256:', 'a b:c', 'sha256:%2e%2e', 'sha512:../x'])(
    'refuses a manifest whose digest is a path: %j',
    async (digest) => {
      const images = memoryImages()
      const manifest = Buffer.from(JSON.stringify({ config: { mediaType: 'a', digest, size: 1 }, layers: [] }))
      const root = await images.sink.manifest(manifest, { mediaType: mediaTypes.manifest }, testContext())
      await expect(pipe(images.source(root), ociLayout(directory).sink, {}, testContext())).rejects.toMatchObject({
        code: 'REGISTRY_FAILED',
      })
      expect(() => ociLayout(directory).path(digest)).toThrow(expect.objectContaining({ code: 'REGISTRY_FAILED' }))
    },
  )

  it('lets a sink take up a blob at any byte', async () => {
    const random = randomFrom(9)
    const layout = ociLayout(directory)
    const bytes = random.bytes(5000)
    const blob = await layout.sink.blob({ mediaType: 'x', open: () => once(bytes) }, testContext())
    for (let round = 0; round < 20; round += 1) {
      const offsetBytes = random.below(5001)
      const rest = await Array.fromAsync(layout.source(blob).blob(blob, { ...reading(), offsetBytes }))
      expect(Buffer.concat(rest)).toEqual(Buffer.from(bytes.subarray(offsetBytes)))
    }
  })
})

const reading = () => ({ offsetBytes: 0, signal: new AbortController().signal })

async function* once(bytes: Uint8Array) {
  yield bytes
}

/** Images of shared layers, alone, in an index, or in an index of indexes. */
function makeImage(random: Random): { readonly images: MemoryImages; readonly root: Descriptor } {
  const images = memoryImages()
  const put = (bytes: Uint8Array, mediaType: string): Descriptor => {
    const digest = digestOf(bytes)
    images.contents.set(digest, bytes)
    return { mediaType, digest, size: bytes.byteLength }
  }
  const layers = Array.from({ length: 1 + random.below(8) }, () =>
    put(random.bytes(random.below(900)), mediaTypes.layerGzip),
  )
  const manifest = () => {
    const config = put(random.bytes(20), mediaTypes.config)
    return put(
      Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: random.some(6, () => random.pick(layers)) })),
      mediaTypes.manifest,
    )
  }
  const index = (make: () => Descriptor) =>
    put(
      Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [make(), ...random.some(2, make)] })),
      mediaTypes.index,
    )
  const root = random.pick([
    manifest,
    () => index(manifest),
    () => index(() => (random.chance(0.5) ? manifest() : index(manifest))),
  ])()
  return { images, root }
}

/** All blobs under a root, each once. */
function blobsOf(images: MemoryImages, root: Descriptor): Descriptor[] {
  const bytes = images.contents.get(root.digest) ?? new Uint8Array()
  const found = isIndex(root.mediaType)
    ? parseIndex(bytes).flatMap((child) => blobsOf(images, child))
    : [...parseManifest(bytes).layers, parseManifest(bytes).config]
  return [...new Map(found.map((blob) => [blob.digest, blob])).values()]
}

/** Everything that can be read from a root, by digest. */
async function copyOf(source: ImageSource): Promise<Record<string, string>> {
  const copy: Record<string, string> = {}
  const read = async (node: Descriptor): Promise<void> => {
    const bytes = await source.manifest(node, reading().signal)
    copy[node.digest] = Buffer.from(bytes).toString('hex')
    if (isIndex(node.mediaType)) for (const child of parseIndex(bytes)) await read(child)
    else {
      const { layers, config } = parseManifest(bytes)
      for (const blob of [...layers, config]) {
        copy[blob.digest] = Buffer.concat(await Array.fromAsync(source.blob(blob, reading()))).toString('hex')
      }
    }
  }
  await read(source.root)
  return copy
}

interface End {
  readonly directory: string
  readonly sink: ImageSink
  source(root: Descriptor): ImageSource
}

function intoMemory(): End {
  return { directory: '', ...memoryImages() }
}

function intoLayout(directory: string): End {
  return ociLayout(directory)
}

function stored(directory: string): string[] {
  return namesIn(join(directory, 'blobs/sha256'))
}

function namesIn(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : []
}

function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size }
}

function uploadOf(images: MemoryImages, { mediaType, digest, size }: Descriptor) {
  return { mediaType, expected: { digest, size }, open: () => once(images.contents.get(digest) ?? new Uint8Array()) }
}

/** Notes what is moved, and that all that a manifest names is there when it is written. */
function watch(sink: ImageSink, images: MemoryImages) {
  const moved: string[] = []
  const tags: (string | undefined)[] = []
  const watched: ImageSink = {
    has: (descriptor, context) => sink.has(descriptor, context),
    async blob(upload, context) {
      const stored = await sink.blob(upload, context)
      moved.push(stored.digest)
      return stored
    },
    async manifest(bytes, options, context) {
      const children = isIndex(options.mediaType)
        ? parseIndex(bytes)
        : [...parseManifest(bytes).layers, parseManifest(bytes).config]
      for (const child of children) expect([child.digest, await sink.has(child, context)]).toEqual([child.digest, true])
      expect(images.contents.get(digestOf(bytes))).toEqual(bytes)
      tags.push(options.tag)
      return sink.manifest(bytes, options, context)
    },
  }
  return { moved, tags, sink: watched }
}

/** The same source, its blobs in odd chunks and out of step. */
function chunked(random: Random, source: ImageSource): ImageSource {
  return {
    ...source,
    async *blob(descriptor, options) {
      for await (const chunk of source.blob(descriptor, options)) {
        for (let at = 0; at < chunk.byteLength; ) {
          const length = random.below(300)
          await new Promise((resolve) => setImmediate(resolve))
          yield chunk.subarray(at, at + length)
          at += length
        }
      }
    },
  }
}

function faulty(
  random: Random,
  source: ImageSource,
  victim: string,
  fault: string,
  stopper: AbortController,
): ImageSource {
  const inner = chunked(random, source)
  return {
    ...inner,
    async *blob(descriptor, options) {
      if (descriptor.digest !== victim) {
        yield* inner.blob(descriptor, options)
        return
      }
      const bytes = Buffer.concat(await Array.fromAsync(inner.blob(descriptor, options)))
      const cut = random.below(bytes.byteLength + 1)
      yield bytes.subarray(0, Math.max(cut - 1, 0))
      if (fault === 'breaks') throw new KiwiError('REGISTRY_UNREACHABLE', 'the connection broke')
      if (fault === 'is cancelled') stopper.abort(new KiwiError('CANCELLED', 'enough'))
      if (fault === 'is other bytes') yield changed(random, bytes.subarray(Math.max(cut - 1, 0)))
      else if (fault === 'ends early' && bytes.byteLength === 0) yield new Uint8Array(1)
      else if (fault !== 'ends early') yield bytes.subarray(Math.max(cut - 1, 0))
      else if (cut === 0 || cut - 1 === bytes.byteLength) yield new Uint8Array(bytes.byteLength + 1)
    },
  }
}

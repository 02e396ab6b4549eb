import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Descriptor } from '../contracts/v1/image.js'
import { testContext } from '../testing/context.js'
import { memoryImages } from '../testing/memory-image.js'
import { digestOf, verified } from './digest.js'
import { ociLayout } from './layout.js'
import { mediaTypes } from './manifest.js'
import { pipe } from './pipe.js'
import { parseReference } from './reference.js'

const bytes = (text: string) => new TextEncoder().encode(text)
async function* stream(...texts: string[]) {
  for (const text of texts) yield bytes(text)
}

describe('a digest', () => {
  it('lets through what is expected, and nothing else', async () => {
    const expected = { digest: digestOf(bytes('abcd')), size: 4 }
    expect(Buffer.concat(await Array.fromAsync(verified(stream('ab', 'cd'), expected))).toString()).toBe('abcd')
    for (const wrong of [['ab', 'ce'], ['ab'], ['ab', 'cd', 'e']]) {
      await expect(Array.fromAsync(verified(stream(...wrong), expected))).rejects.toMatchObject({
        code: 'DIGEST_MISMATCH',
      })
    }
  })
})

describe('an image reference', () => {
  const digest = `sha256:${'a'.repeat(64)}`
  it.each([
    ['node', { repository: 'node' }],
    ['node:24-slim', { repository: 'node', tag: '24-slim' }],
    ['embedded/web:main-1', { repository: 'embedded/web', tag: 'main-1' }],
    ['localhost/a', { host: 'localhost', repository: 'a' }],
    [`127.0.0.1:5000/a/b__c@${digest}`, { host: '127.0.0.1:5000', repository: 'a/b__c', digest }],
    [`host.test/a:b@${digest}`, { host: 'host.test', repository: 'a', tag: 'b', digest }],
  ])('%s is taken apart', (text, parts) => {
    expect(parseReference(text)).toEqual(parts)
  })

  it.each([
    '',
    'Node',
    'a//b',
    'a:',
    'a:b:c',
    'a@sha256:1',
    '-a',
    'a/../b',
    `a:${'x'.repeat(129)}`,
    'a b',
    'host:99999999/a',
    'a@b@c',
  ])('%j is refused', (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'IMAGE_REFERENCE_INVALID' }))
  })
})

describe('pipe', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'kiwi-image-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  async function imageIn(images: ReturnType<typeof memoryImages>, ...layers: string[]): Promise<Descriptor> {
    const context = testContext()
    const put = (text: string) =>
      images.sink.blob({ mediaType: mediaTypes.layerGzip, open: () => stream(text) }, context)
    const manifest = { config: await put('{}'), layers: await Promise.all(layers.map(put)) }
    return images.sink.manifest(bytes(JSON.stringify(manifest)), { mediaType: mediaTypes.manifest }, context)
  }

  it('copies an image into a layout, and moves no blob that is there', async () => {
    const memory = memoryImages()
    const layout = ociLayout(directory)
    await pipe(memory.source(await imageIn(memory, 'one', 'two')), layout.sink, {}, testContext())
    const second = testContext()
    const root = await pipe(memory.source(await imageIn(memory, 'one', 'three')), layout.sink, {}, second)
    expect(second.facts.map((fact) => fact.type === 'blob' && fact.state)).toEqual(['exists', 'exists'])
    expect(digestOf(await layout.source(root).manifest(root, new AbortController().signal))).toBe(root.digest)
    expect(readdirSync(join(directory, 'blobs'))).toEqual(['sha256'])
  })

  it('ends with the first failure, and leaves no half of a blob behind', async () => {
    const memory = memoryImages()
    const root = await imageIn(memory, 'one', 'two')
    memory.contents.set(digestOf(bytes('two')), bytes('twx'))
    const layout = ociLayout(directory)
    await expect(pipe(memory.source(root), layout.sink, {}, testContext())).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
    expect(readdirSync(join(directory, 'blobs'))).toEqual(['sha256'])
  })
})

import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf, mediaTypes, pipe } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { describe, expect, test } from 'vitest'
import { chunksOf, collect, randomImage, temporaryDirectory } from '../testing/image.js'
import { embeddedRegistry } from './index.js'

describe('the embedded registry', () => {
  test('gives back the image that was pushed, by tag and by digest', async () => {
    await using directory = await temporaryDirectory()
    await using registry = embeddedRegistry({ directory: directory.path })
    const image = randomImage()
    const context = testContext()
    await pipe(image, registry.sink('team/web'), { tag: 'v1' }, context)
    expect(await registry.resolve({ repository: 'team/web', reference: 'v1' }, context)).toEqual(image.root)
    const source = await registry.source({ repository: 'team/web', reference: image.root.digest }, context)
    expect(source.origin).toEqual({ registry: 'embedded', repository: 'team/web' })
    const copy = embeddedRegistry({ directory: join(directory.path, 'copy') })
    expect(await pipe(source, copy.sink('web'), { tag: 'v1' }, context)).toEqual(image.root)
    await copy[Symbol.asyncDispose]()
  })

  test('is seen by a second process that uses the same folder', async () => {
    await using directory = await temporaryDirectory()
    await using first = embeddedRegistry({ directory: directory.path })
    await using second = embeddedRegistry({ directory: directory.path })
    const context = testContext()
    const image = randomImage()
    await pipe(image, first.sink('web'), { tag: 'v1' }, context)
    expect(await second.resolve({ repository: 'web', reference: 'v1' }, context)).toEqual(image.root)
    expect(second.address('web')).toMatch(/^127\.0\.0\.1:\d+\/web$/)
    await first.listen()
    expect(first.address('web')).not.toBe(second.address('web'))
    const [host] = second.address('web').split('/')
    const answer = await fetch(`http://${host}/v2/web/manifests/v1`)
    expect(digestOf(Buffer.from(await answer.arrayBuffer()))).toBe(image.root.digest)
  })

  test('says undefined for a tag or a repository that is not there, and source rejects', async () => {
    await using directory = await temporaryDirectory()
    await using registry = embeddedRegistry({ directory: directory.path })
    const context = testContext()
    expect(await registry.resolve({ repository: 'web', reference: 'v1' }, context)).toBeUndefined()
    expect(
      await registry.resolve({ repository: 'web', reference: digestOf(Buffer.from('nothing')) }, context),
    ).toBeUndefined()
    await expect(registry.source({ repository: 'web', reference: 'v1' }, context)).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
    })
  })

  test.each(['../web', 'Web', 'web/../../etc', '_blobs', ''])('refuses the repository name %j', (repository) => {
    const registry = embeddedRegistry({ directory: '/nonexistent' })
    expect(() => registry.sink(repository)).toThrow(expect.objectContaining({ code: 'IMAGE_REFERENCE_INVALID' }))
  })

  test('stores a stream whose digest is not known beforehand', async () => {
    await using directory = await temporaryDirectory()
    await using registry = embeddedRegistry({ directory: directory.path })
    const context = testContext()
    const stored = await registry
      .sink('web')
      .blob({ mediaType: mediaTypes.layerGzip, open: () => chunksOf('he', 'llo') }, context)
    expect(stored).toEqual({ mediaType: mediaTypes.layerGzip, digest: digestOf(Buffer.from('hello')), size: 5 })
    expect(await registry.sink('web').has(stored, context)).toBe(true)
    expect(await registry.sink('other').has(stored, context)).toBe(false)
  })

  test('takes a blob that another repository has without reading it again', async () => {
    await using directory = await temporaryDirectory()
    await using registry = embeddedRegistry({ directory: directory.path })
    const context = testContext()
    const bytes = Buffer.from('layer')
    const expected = { digest: digestOf(bytes), size: bytes.byteLength }
    const mediaType = mediaTypes.layerGzip
    await registry.sink('one').blob({ mediaType, expected, open: () => chunksOf(bytes) }, context)
    const untouched = () => {
      throw new Error('read again')
    }
    await registry.sink('two').blob({ mediaType, expected, open: untouched }, context)
    expect(await registry.sink('two').has({ mediaType, ...expected }, context)).toBe(true)
    expect(context.facts.map((fact) => fact.type === 'blob' && fact.state)).toEqual(['done', 'mounted'])
  })

  test('keeps nothing of a blob that is not what was expected', async () => {
    await using directory = await temporaryDirectory()
    await using registry = embeddedRegistry({ directory: directory.path })
    const upload = {
      mediaType: mediaTypes.layerGzip,
      expected: { digest: digestOf(Buffer.from('good')), size: 4 },
      open: () => chunksOf('evil'),
    }
    await expect(registry.sink('web').blob(upload, testContext())).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    expect(await readdir(join(directory.path, 'blobs', 'sha256'))).toEqual([])
  })

  test('notices a file that was damaged on disk', async () => {
    await using directory = await temporaryDirectory()
    await using registry = embeddedRegistry({ directory: directory.path })
    const context = testContext()
    const image = randomImage({ layers: 1 })
    await pipe(image, registry.sink('web'), { tag: 'v1' }, context)
    const source = await registry.source({ repository: 'web', reference: 'v1' }, context)
    const [layer] = image.layers
    if (!layer) throw new Error('no layer')
    await writeFile(join(directory.path, 'blobs', ...layer.digest.split(':')), Buffer.alloc(layer.size))
    const reading = collect(source.blob(layer, { offsetBytes: 0, signal: context.signal }))
    await expect(reading).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  })

  test('leaves nothing behind when it is cancelled in the middle', async () => {
    await using directory = await temporaryDirectory()
    await using registry = embeddedRegistry({ directory: directory.path })
    const controller = new AbortController()
    const content = async function* () {
      yield Buffer.from('one')
      controller.abort(new Error('cancelled'))
      yield Buffer.from('two')
    }
    const context = testContext({ signal: controller.signal })
    const writing = registry.sink('web').blob({ mediaType: mediaTypes.layerGzip, open: content }, context)
    await expect(writing).rejects.toThrow('cancelled')
    expect(await readdir(join(directory.path, 'blobs', 'sha256'))).toEqual([])
  })

  test('proves that it can be written', async () => {
    await using directory = await temporaryDirectory()
    await using registry = embeddedRegistry({ directory: directory.path })
    await registry.check('web', 'push', testContext())
    expect(await readdir(join(directory.path, 'uploads'))).toEqual([])
    await writeFile(join(directory.path, 'file'), '')
    await using blocked = embeddedRegistry({ directory: join(directory.path, 'file') })
    await blocked.check('web', 'pull', testContext())
    await expect(blocked.check('web', 'push', testContext())).rejects.toMatchObject({ code: 'REGISTRY_DENIED' })
  })

  test('does not answer for its address before it is served', () => {
    const registry = embeddedRegistry({ directory: '/nonexistent' })
    expect(() => registry.address('web')).toThrow(expect.objectContaining({ code: 'REGISTRY_UNREACHABLE' }))
  })
})

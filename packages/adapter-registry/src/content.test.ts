import { digestOf, mediaTypes, pipe } from '@kiwi/core'
import { registryKit, testContext } from '@kiwi/core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pushArtifact } from './artifact.js'
import { ociRegistry } from './registry.js'
import { serveRegistry } from './server/index.js'
import { type FakeAnswer, type FakeServer, fakeServer, jsonAnswer, type SeenRequest } from './testing/fake-server.js'
import { randomImage, temporaryDirectory } from './testing/image.js'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let server: Awaited<ReturnType<typeof serveRegistry>>
let registry: ReturnType<typeof ociRegistry>
const context = testContext()
beforeAll(async () => {
  directory = await temporaryDirectory()
  server = await serveRegistry({ directory: directory.path })
  registry = ociRegistry({ host: server.address, plainHttp: true })
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await server.close()
  await directory[Symbol.asyncDispose]()
})

describe('the registry adapter keeps the contract', () => {
  for (const one of registryKit({ registry: () => registry })) test(one.name, one.run)
})

test('a removed tag leaves the image and its other tags', async () => {
  const image = randomImage({ layers: 1 })
  for (const tag of ['v1', 'v2']) await pipe(image, registry.sink('untag'), { tag }, context)
  expect(await registry.remove({ repository: 'untag', reference: 'v1' }, context)).toBe(true)
  expect(await registry.remove({ repository: 'untag', reference: 'v1' }, context)).toBe(false)
  expect(await Array.fromAsync(registry.tags('untag', context))).toEqual(['v2'])
  expect(await registry.resolve({ repository: 'untag', reference: image.root.digest }, context)).toEqual(image.root)
})

test('what is protected has a tag of Kiwi’s own, and tags of others are left alone', async () => {
  const images = [randomImage({ layers: 1 }), randomImage({ layers: 1 })]
  for (const image of images) await pipe(image, registry.sink('keep'), { tag: 'kiwi-keepsake' }, context)
  const digests = images.map(({ root }) => root.digest)
  expect(await registry.protect('keep', digests, context)).toEqual({ by: 'keep-tags', kept: digests, notKept: [] })
  const tags = async () => (await Array.fromAsync(registry.tags('keep', context))).sort()
  const keepTags = digests.map((digest) => `kiwi-keep-${digest.slice(7, 19)}`)
  expect(await tags()).toEqual([...keepTags, 'kiwi-keepsake'].sort())
  expect(await registry.protect('keep', ['sha256:short'], context)).toEqual({
    by: 'keep-tags',
    kept: [],
    notKept: [{ digest: 'sha256:short', because: 'it is not a digest of a known algorithm' }],
  })
  expect(await tags()).toEqual(['kiwi-keepsake'])
})

test('a keep-tag that somebody moved is set right', async () => {
  const [image, other] = [randomImage({ layers: 1 }), randomImage({ layers: 1 })]
  const reference = `kiwi-keep-${image.root.digest.slice(7, 19)}`
  await pipe(image, registry.sink('moved'), {}, context)
  await pipe(other, registry.sink('moved'), { tag: reference }, context)
  await registry.protect('moved', [image.root.digest], context)
  expect(await registry.resolve({ repository: 'moved', reference }, context)).toEqual(image.root)
})

test('an artifact about an image is among its referrers', async () => {
  const { root } = randomImage()
  const blobs = [{ mediaType: 'text/plain', content: Buffer.from('signed') }]
  const artifact = { artifactType: 'text/signature', blobs, subject: root }
  const stored = await pushArtifact(registry.sink('signed'), artifact, context)
  const list = (artifactType?: string) =>
    Array.fromAsync(registry.referrers({ repository: 'signed', digest: root.digest }, { artifactType }, context))
  expect(await list()).toEqual([{ ...stored, artifactType: 'text/signature' }])
  expect(await list('text/other')).toEqual([])
  expect(await Array.fromAsync(registry.tags('signed', context))).toEqual([]) // no fallback tag where the registry keeps the list
})

test('a tag that is not there is answered with those that are written like it', async () => {
  const image = randomImage({ layers: 1 })
  for (const tag of ['v1.2.3', 'v1.2.4', 'main', 'nightly']) await pipe(image, registry.sink('near'), { tag }, context)
  await expect(registry.source({ repository: 'near', reference: 'v1.2.5' }, context)).rejects.toMatchObject({
    code: 'MANIFEST_UNKNOWN',
    hint: 'Tags that it has and that are written like it: v1.2.3, v1.2.4.',
    evidence: { nearestTags: ['v1.2.3', 'v1.2.4'] },
  })
})

async function against(answer: (request: SeenRequest) => FakeAnswer) {
  const fake: FakeServer = await fakeServer(answer)
  const opened = ociRegistry({ host: fake.host, plainHttp: true, retry: { tries: 1 } })
  return {
    fake,
    registry: opened,
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]()
      await fake[Symbol.asyncDispose]()
    },
  }
}

describe('the tags of a repository', () => {
  const list = (from: ReturnType<typeof ociRegistry>) => Array.fromAsync(from.tags('web', context))

  test.each([
    ['an address without host', '</v2/web/tags/list?page=2>; rel="next"'],
    ['an address of another host, which is not asked', '<http://inside.invalid/v2/web/tags/list?page=2>; rel=next'],
    ['a relative address', '<list?page=2>; rel="next"'],
    ['the second of two links', '</v2/>; rel="first", </v2/web/tags/list?page=2>; title="x"; rel="next"'],
  ])('come in pages, whose next one is %s', async (_, link) => {
    await using at = await against(({ url }) =>
      url.searchParams.get('page') === '2'
        ? jsonAnswer(200, { tags: ['b', 'c'] })
        : jsonAnswer(200, { tags: ['a', 'b'] }, { link }),
    )
    expect(await list(at.registry)).toEqual(['a', 'b', 'c'])
    expect(at.fake.seen.map(({ url }) => `${url.pathname}${url.search}`)).toEqual([
      '/v2/web/tags/list?n=1000',
      '/v2/web/tags/list?page=2',
    ])
  })

  test('are asked for after the last of a full page that has no link', async () => {
    const all = Array.from({ length: 2500 }, (_, index) => `t${String(index).padStart(4, '0')}`)
    await using at = await against(({ url }) => {
      const last = url.searchParams.get('last') ?? ''
      return jsonAnswer(200, { tags: all.filter((tag) => tag > last).slice(0, 1000) })
    })
    expect(await list(at.registry)).toEqual(all)
    expect(at.fake.seen).toHaveLength(3)
  })

  test('come once from a registry that knows no pages and has just as many as one holds', async () => {
    const tags = Array.from({ length: 1000 }, (_, index) => `t${index}`)
    await using at = await against(() => jsonAnswer(200, { tags }))
    expect(await list(at.registry)).toEqual(tags)
  })

  test('are none where the registry says null, or does not know the repository', async () => {
    const answers = [jsonAnswer(200, { tags: null }), jsonAnswer(404, { errors: [{ code: 'NAME_UNKNOWN' }] })]
    await using at = await against(() => answers.shift() ?? { status: 500 })
    expect([await list(at.registry), await list(at.registry)]).toEqual([[], []])
  })

  test('end in an error when the pages lead in a circle, or are no list', async () => {
    const link = '</v2/web/tags/list?n=1000>; rel="next"'
    await using circle = await against(() => jsonAnswer(200, { tags: ['a'] }, { link }))
    await expect(list(circle.registry)).rejects.toMatchObject({ code: 'REGISTRY_FAILED', retryable: false })
    await using odd = await against(() => ({ status: 200, body: '<html>' }))
    await expect(list(odd.registry)).rejects.toMatchObject({ code: 'REGISTRY_FAILED' })
  })
})

describe('a registry that deletes nothing', () => {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] }))
  const digest = digestOf(bytes)
  const headers = { 'content-type': mediaTypes.index, 'docker-content-digest': digest }
  const answer = ({ method, url }: SeenRequest): FakeAnswer => {
    if (method === 'DELETE') return jsonAnswer(405, { errors: [{ code: 'UNSUPPORTED', message: 'unsupported' }] })
    if (url.pathname.endsWith('/tags/list')) return jsonAnswer(200, { tags: ['kiwi-keep-0123456789ab'] })
    if (method === 'HEAD') return { status: 200, headers: { ...headers, 'content-length': String(bytes.length) } }
    return { status: 200, headers, body: bytes }
  }

  test.each([digest, 'v1'])('says so of %s and how to change it, with nothing changed', async (reference) => {
    await using at = await against(answer)
    await expect(at.registry.remove({ repository: 'web', reference }, context)).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
      effect: 'none',
      message: expect.stringContaining('deleting is disabled'),
      hint: expect.stringContaining('storage.delete.enabled'),
    })
    expect(at.fake.seen.filter(({ method }) => method === 'PUT' || method === 'POST')).toEqual([])
  })

  test('keeps a keep-tag too many', async () => {
    await using at = await against(answer)
    expect(await at.registry.protect('web', [], context)).toEqual({ by: 'keep-tags', kept: [], notKept: [] })
  })
})

test('a tag that could not be taken away names its image again', async () => {
  const image = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] }))
  const manifests = new Map<string, Buffer>([[digestOf(image), image]])
  let tagged = digestOf(image)
  let deletes = 0
  await using at = await against(({ method, url, body }) => {
    const [, reference = ''] = /\/manifests\/(.+)$/.exec(url.pathname) ?? []
    if (method === 'POST') return { status: 202, headers: { location: '/v2/web/blobs/uploads/1' } }
    if (method === 'PUT') {
      if (reference === 'v1') tagged = digestOf(body)
      if (reference !== '') manifests.set(digestOf(body), body)
      return { status: 201 }
    }
    if (method === 'DELETE') {
      if (reference === 'v1') return jsonAnswer(400, { errors: [{ code: 'DIGEST_INVALID' }] })
      deletes += 1
      return { status: deletes < 3 ? 202 : 500 }
    }
    const digest = reference === 'v1' ? tagged : reference
    const found = manifests.get(digest)
    const headers = { 'content-type': mediaTypes.index, 'docker-content-digest': digest }
    if (!found) return jsonAnswer(404, { errors: [{ code: 'MANIFEST_UNKNOWN' }] })
    return { status: 200, headers: { ...headers, 'content-length': String(found.length) }, body: found }
  })
  await expect(at.registry.remove({ repository: 'web', reference: 'v1' }, context)).rejects.toMatchObject({
    code: 'REGISTRY_FAILED',
  })
  expect(deletes).toBe(3)
  expect(tagged).toBe(digestOf(image))
})

describe('the right to pull', () => {
  const check = (answer: FakeAnswer) =>
    against(() => answer).then(async (at) => {
      await using opened = at
      await opened.registry.check('team/web', 'pull', context)
    })
  const refuse = (status: number, code: string, message: string) => jsonAnswer(status, { errors: [{ code, message }] })

  test('is proven by a read, also of a repository that nobody pushed to', async () => {
    await check(jsonAnswer(200, { tags: ['v1'] }))
    await check(refuse(404, 'NAME_UNKNOWN', 'repository name not known to registry'))
  })

  test('is lacking where the read is refused, whatever a token says', async () => {
    await expect(check(refuse(403, 'DENIED', 'no'))).rejects.toMatchObject({ code: 'REGISTRY_DENIED' })
    await expect(check(refuse(404, 'NOT_FOUND', 'project team not found'))).rejects.toMatchObject({
      code: 'REGISTRY_PROJECT_MISSING',
    })
    await expect(check({ status: 404, body: '<html>' })).rejects.toMatchObject({ code: 'REGISTRY_FAILED' })
  })
})

describe('referrers', () => {
  const subject = digestOf(Buffer.from('subject'))
  const one = (artifactType: string) => ({
    mediaType: mediaTypes.manifest,
    digest: digestOf(Buffer.from(artifactType)),
    size: 7,
    artifactType,
  })
  const list = (from: ReturnType<typeof ociRegistry>, artifactType?: string) =>
    Array.fromAsync(from.referrers({ repository: 'web', digest: subject }, { artifactType }, context))
  const page = (manifests: unknown, headers = {}): FakeAnswer => ({
    status: 200,
    headers: { 'content-type': mediaTypes.index, ...headers },
    body: JSON.stringify({ schemaVersion: 2, manifests }),
  })

  test('come in pages, filtered here where the registry did not', async () => {
    const link = `</v2/web/referrers/${subject}?page=2>; rel="next"`
    await using at = await against(({ url }) =>
      url.searchParams.has('page') ? page([one('a')]) : page([one('a'), one('b')], { link }),
    )
    expect(await list(at.registry, 'a')).toEqual([one('a'), one('a')])
  })

  test('are taken as filtered where the registry says that they are', async () => {
    const { artifactType: _, ...untyped } = one('a')
    await using at = await against(() => page([untyped], { 'oci-filters-applied': 'artifactType' }))
    expect(await list(at.registry, 'a')).toEqual([untyped])
  })

  test('are read from the fallback tag where the registry has no list', async () => {
    await using at = await against(({ url }) =>
      url.pathname === `/v2/web/manifests/sha256-${subject.slice(7)}` ? page([one('a')]) : { status: 404, body: 'no' },
    )
    expect(await list(at.registry)).toEqual([one('a')])
    await expect(list(at.registry, 'b')).resolves.toEqual([])
  })

  test('of what is no digest are not asked for', async () => {
    expect(() => registry.referrers({ repository: 'web', digest: 'v1' }, {}, context)).toThrow(
      expect.objectContaining({ code: 'IMAGE_REFERENCE_INVALID' }),
    )
  })
})

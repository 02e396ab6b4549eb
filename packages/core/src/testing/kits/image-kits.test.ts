import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { ImageSink, ImageSource } from '../../contracts/v1/image.js'
import type { Registry } from '../../contracts/v1/registry.js'
import { KiwiError } from '../../errors/kiwi-error.js'
import { digestOf } from '../../image/digest.js'
import { ociLayout } from '../../image/layout.js'
import { memoryImages } from '../memory-image.js'
import { type MemoryRegistry, memoryRegistry } from '../memory-registry.js'
import { type ImageEnds, imageEndsKit } from './image-ends.js'
import { failuresOf } from './mutants.js'
import { registryKit } from './registry.js'

const scratch = mkdtempSync(join(tmpdir(), 'kiwi-image-kits-'))
afterAll(() => rmSync(scratch, { recursive: true }))

const images = memoryImages()
const damageImages = async (digest: string) => {
  const bytes = images.contents.get(digest) ?? new Uint8Array()
  images.contents.set(digest, bytes.toReversed())
}

describe('images in memory', () => {
  for (const one of imageEndsKit({ ends: () => images, damage: damageImages })) it(one.name, one.run)
})

describe('an OCI layout', () => {
  const layout = ociLayout(scratch)
  const damage = async (digest: string) => writeFileSync(layout.path(digest), 'damaged')
  for (const one of imageEndsKit({ ends: () => layout, damage })) it(one.name, one.run)
})

describe('the memory registry', () => {
  const registry = memoryRegistry()
  for (const one of registryKit({ registry: () => registry, prefix: 'team/' })) it(one.name, one.run)
})

type Images = ReturnType<typeof memoryImages>
type EndsMutant = (inner: Images) => { readonly sink?: Partial<ImageSink>; readonly source?: Partial<ImageSource> }

const endsMutants: readonly (readonly [what: string, caught: string, mutant: EndsMutant])[] = [
  [
    'says that everything is there',
    'image: a blob is there once it is written, not before',
    () => ({ sink: { has: async () => true } }),
  ],
  [
    'says that nothing is there',
    'image: a blob is there once it is written, not before',
    () => ({ sink: { has: async () => false } }),
  ],
  [
    'keeps bytes that were not announced',
    'image: bytes that are not what was announced are refused and not kept',
    ({ contents }) => ({
      sink: {
        async blob({ expected, mediaType, open }) {
          const bytes = Buffer.concat(await Array.fromAsync(open(0)))
          const { digest, size } = expected ?? { digest: digestOf(bytes), size: bytes.length }
          contents.set(digest, bytes)
          return { mediaType, digest, size }
        },
      },
    }),
  ],
  [
    'does not know the digest of what it was given without one',
    'image: a blob of unknown digest is written in one stream, and its digest told',
    ({ sink }) => ({
      sink: {
        async blob(upload, context) {
          const stored = await sink.blob(upload, context)
          return upload.expected ? stored : { ...stored, digest: `sha256:${'0'.repeat(64)}` }
        },
      },
    }),
  ],
  [
    'keeps what was cut short',
    'image: nothing is kept of a blob whose signal fires on its way',
    ({ sink }) => ({ sink: { blob: (upload, context) => sink.blob(upload, { ...context, signal: running }) } }),
  ],
  [
    'refuses what it has',
    'image: is written again without harm',
    ({ sink, manifests }) => ({
      sink: {
        async manifest(bytes, options, context) {
          if (manifests.has(digestOf(bytes))) throw new KiwiError('REGISTRY_FAILED', 'it is there')
          return sink.manifest(bytes, options, context)
        },
      },
    }),
  ],
  [
    'knows no indexes',
    'image: an index comes back with all its images',
    ({ sink }) => ({
      sink: {
        async manifest(bytes, options, context) {
          if (options.mediaType.includes('index')) throw new KiwiError('REGISTRY_FAILED', 'it is no manifest')
          return sink.manifest(bytes, options, context)
        },
      },
    }),
  ],
  [
    'ignores the offset',
    'image: a blob is read from any offset',
    (inner) => ({ source: { blob: (blob, options) => reader(inner).blob(blob, { ...options, offsetBytes: 0 }) } }),
  ],
  [
    'gives nothing for what is not there',
    'image: what is not there is refused, not made up',
    ({ contents }) => ({ source: { manifest: async ({ digest }) => contents.get(digest) ?? new Uint8Array() } }),
  ],
  [
    'writes manifests again in its own words',
    'image: comes back as it was written',
    (inner) => ({
      source: {
        async manifest(...parameters) {
          const text = Buffer.from(await reader(inner).manifest(...parameters)).toString()
          return Buffer.from(JSON.stringify(JSON.parse(text), undefined, 2))
        },
      },
    }),
  ],
  [
    'does not verify what it reads',
    'image: damage is found when it is read',
    ({ contents }) => ({
      source: {
        async *blob({ digest }, { offsetBytes }) {
          const bytes = contents.get(digest)
          if (!bytes) throw new KiwiError('MANIFEST_UNKNOWN', 'it is not there')
          yield bytes.subarray(offsetBytes)
        },
      },
    }),
  ],
]

const { signal: running } = new AbortController()
const reader = (inner: Images) => inner.source({ mediaType: '', digest: '', size: 0 })

describe('a place for images that', () => {
  it.each(endsMutants)('%s is caught: %s', async (_, caught, mutant) => {
    const inner = memoryImages()
    const { sink, source } = mutant(inner)
    const ends: ImageEnds = {
      sink: { ...inner.sink, ...sink },
      source: (root) => ({ ...inner.source(root), ...source }),
    }
    const damage = async (digest: string) =>
      void inner.contents.set(digest, (inner.contents.get(digest) ?? new Uint8Array()).toReversed())
    expect([...(await failuresOf(imageEndsKit({ ends: () => ends, damage }), caught)).keys()]).toContain(caught)
  })
})

type RegistryMutant = (inner: MemoryRegistry) => Partial<Registry>

const registryMutants: readonly (readonly [what: string, caught: string, mutant: RegistryMutant])[] = [
  [
    'has no summary',
    'says in a probe what answers',
    () => ({ probe: async () => ({ ok: true, summary: '', details: {} }) }),
  ],
  [
    'denies every right',
    'proves the right to push and to pull',
    () => ({
      check: async () => {
        throw new KiwiError('REGISTRY_DENIED', 'no')
      },
    }),
  ],
  [
    'throws for what is missing',
    'says undefined of what is certainly not there',
    (inner) => ({
      async resolve(place, context) {
        const found = await inner.resolve(place, context)
        if (!found) throw new KiwiError('MANIFEST_UNKNOWN', 'it is not there')
        return found
      },
    }),
  ],
  [
    'gives an empty source for what is missing',
    'says undefined of what is certainly not there',
    () => ({ source: async () => memoryImages().source({ mediaType: '', digest: '', size: 0 }) }),
  ],
  [
    'finds no digests',
    'finds an image by tag and by digest',
    (inner) => ({
      resolve: async (place, context) =>
        place.reference.startsWith('sha256:') ? undefined : inner.resolve(place, context),
    }),
  ],
  [
    'never moves a tag',
    'moves a tag, and keeps the image that had it',
    (inner) => ({
      sink: (repository) => ({
        ...inner.sink(repository),
        manifest(bytes, options, context) {
          const taken = options.tag !== undefined && inner.images(repository).tags.has(options.tag)
          return inner.sink(repository).manifest(bytes, taken ? { mediaType: options.mediaType } : options, context)
        },
      }),
    }),
  ],
  [
    'forgets the image whose tag is moved',
    'moves a tag, and keeps the image that had it',
    (inner) => ({
      sink: (repository) => ({
        ...inner.sink(repository),
        manifest(bytes, options, context) {
          const { tags, manifests } = inner.images(repository)
          manifests.delete(tags.get(options.tag ?? '')?.digest ?? '')
          return inner.sink(repository).manifest(bytes, options, context)
        },
      }),
    }),
  ],
  [
    'has one repository for all',
    'keeps repositories apart',
    (inner) => ({
      resolve: (place, context) => inner.resolve({ ...place, repository: 'all' }, context),
      source: (place, context) => inner.source({ ...place, repository: 'all' }, context),
      sink: () => inner.sink('all'),
    }),
  ],
  ['asks for any name', 'refuses names that are none before it asks', () => ({ resolve: async () => undefined })],
  ['has an address without a host', 'has an address that an engine can pull', () => ({ address: (name) => name })],
  [
    'lists what has no tag',
    'lists all tags, where it says that it can',
    (inner) => ({
      async *tags(repository) {
        yield* [...inner.images(repository).tags.keys(), ...inner.images(repository).manifests.keys()]
      },
    }),
  ],
  [
    'throws for the tags of a repository that is not there',
    'lists all tags, where it says that it can',
    (inner) => ({
      async *tags(repository, context) {
        const all = await Array.fromAsync(inner.tags(repository, context))
        if (all.length === 0) throw new KiwiError('REGISTRY_FAILED', 'NAME_UNKNOWN')
        yield* all
      },
    }),
  ],
  [
    'says removed and removes nothing',
    'removes an image with its tags and no other, where it says that it can, or says that it may not',
    () => ({ remove: async () => true }),
  ],
  [
    'removes the tag and keeps the image',
    'removes an image with its tags and no other, where it says that it can, or says that it may not',
    (inner) => ({
      async remove(place) {
        return inner.images(place.repository).tags.delete('gone')
      },
    }),
  ],
  [
    'takes the image away with one of its tags',
    'removes one tag and leaves the image to the others, where it says that it can, or says that it may not',
    (inner) => ({
      async remove(place, context) {
        const digest = (await inner.resolve(place, context))?.digest
        return digest !== undefined && inner.remove({ ...place, reference: digest }, context)
      },
    }),
  ],
  [
    'denies and removes nevertheless',
    'removes an image with its tags and no other, where it says that it can, or says that it may not',
    (inner) => ({
      async remove(place, context) {
        await inner.remove(place, context)
        throw new KiwiError('REGISTRY_DENIED', 'no')
      },
    }),
  ],
]

describe('a registry that', () => {
  it.each(registryMutants)('%s is caught: %s', async (_, caught, mutant) => {
    const inner = memoryRegistry()
    const registry = { ...inner, ...mutant(inner) }
    expect([...(await failuresOf(registryKit({ registry: () => registry }), caught)).keys()]).toContain(caught)
  })
})

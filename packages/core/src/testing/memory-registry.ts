import type { ImagePlace, Registry } from '../contracts/v1/registry.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { parseReference } from '../image/reference.js'
import { type MemoryImages, memoryImages } from './memory-image.js'

export interface MemoryRegistry extends Required<Registry> {
  /** What lies in a repository. */
  images(repository: string): MemoryImages
  /** The digests that are protected there. */
  protected(repository: string): ReadonlySet<string>
  /** What a registry's own rules do: every manifest goes that has no tag, is not protected, and is part of no index that stays. */
  clearAway(repository: string): void
}

/** A registry in memory. Its repositories share nothing. */
export function memoryRegistry(): MemoryRegistry {
  const repositories = new Map<string, MemoryImages>()
  const keptIn = new Map<string, ReadonlySet<string>>()
  const imagesOf = (repository: string) => {
    const images = repositories.get(repository) ?? memoryImages()
    repositories.set(repository, images)
    return images
  }
  const find = (place: ImagePlace) => {
    check(place)
    const images = repositories.get(place.repository)
    return images?.tags.get(place.reference) ?? images?.manifests.get(place.reference)
  }
  return {
    contract: 'registry/v1',
    kind: 'memory',
    images: imagesOf,
    protected: (repository) => keptIn.get(repository) ?? new Set(),
    clearAway: (repository) => sweep(imagesOf(repository), keptIn.get(repository) ?? new Set()),
    probe: async () => ({ ok: true, summary: 'in memory', details: {} }),
    check: async (repository) => void parseReference(repository),
    resolve: async (place) => find(place),
    async source(place) {
      const root = find(place)
      if (!root) throw new KiwiError('MANIFEST_UNKNOWN', `there is no ${place.repository} with ${place.reference}`)
      return {
        ...imagesOf(place.repository).source(root),
        origin: { registry: 'memory.test', repository: place.repository },
      }
    },
    sink(repository) {
      parseReference(repository)
      return imagesOf(repository).sink
    },
    address: (repository) => `memory.test/${repository}`,
    async *tags(repository) {
      parseReference(repository)
      yield* [...(repositories.get(repository)?.tags.keys() ?? [])].sort()
    },
    async remove(place) {
      const found = find(place)
      if (!found) return false
      const { contents, manifests, tags } = imagesOf(place.repository)
      if (tags.delete(place.reference)) return true
      for (const [tag, { digest }] of tags) if (digest === found.digest) tags.delete(tag)
      manifests.delete(found.digest)
      contents.delete(found.digest)
      return true
    },
    async protect(repository, digests) {
      parseReference(repository)
      const { manifests } = imagesOf(repository)
      const kept = [...new Set(digests)].filter((digest) => manifests.has(digest))
      keptIn.set(repository, new Set(kept))
      const missing = [...new Set(digests)].filter((digest) => !manifests.has(digest))
      return { by: 'folder', kept, notKept: missing.map((digest) => ({ digest, because: 'it is not there' })) }
    },
  }
}

function sweep({ contents, manifests, tags }: MemoryImages, kept: ReadonlySet<string>): void {
  const staying = new Set([...kept, ...[...tags.values()].map(({ digest }) => digest)])
  for (const digest of staying) for (const child of childrenOf(contents.get(digest))) staying.add(child)
  for (const digest of manifests.keys()) {
    if (staying.has(digest)) continue
    manifests.delete(digest)
    contents.delete(digest)
  }
}

function childrenOf(bytes: Uint8Array | undefined): readonly string[] {
  const { manifests = [] } = bytes ? JSON.parse(new TextDecoder().decode(bytes)) : {}
  return manifests.map(({ digest }: { readonly digest: string }) => digest)
}

function check({ repository, reference }: ImagePlace): void {
  parseReference(reference.startsWith('sha256:') ? `${repository}@${reference}` : `${repository}:${reference}`)
}

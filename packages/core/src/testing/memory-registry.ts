import type { ImagePlace, Registry } from '../contracts/v1/registry.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { parseReference } from '../image/reference.js'
import { type MemoryImages, memoryImages } from './memory-image.js'

export interface MemoryRegistry extends Required<Registry> {
  /** What lies in a repository. */
  images(repository: string): MemoryImages
}

/** A registry in memory. Its repositories share nothing. */
export function memoryRegistry(): MemoryRegistry {
  const repositories = new Map<string, MemoryImages>()
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
      for (const [tag, { digest }] of tags) if (digest === found.digest) tags.delete(tag)
      manifests.delete(found.digest)
      contents.delete(found.digest)
      return true
    },
  }
}

function check({ repository, reference }: ImagePlace): void {
  parseReference(reference.startsWith('sha256:') ? `${repository}@${reference}` : `${repository}:${reference}`)
}

import type { Builder, BuiltImage } from '../contracts/v1/builder.js'
import type { Registry } from '../contracts/v1/registry.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { mediaTypes } from '../image/manifest.js'
import { memoryImages } from './memory-image.js'

/** A builder whose image holds the Dockerfile's text and the commit's label: another commit, another digest. */
export function memoryBuilder(): Builder & { readonly builds: string[] } {
  const builds: string[] = []
  const made = new Map<string, BuiltImage>()
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
  return {
    contract: 'builder/v1',
    kind: 'memory',
    builds,
    probe: async () => ({ ok: true, summary: 'in memory', details: {} }),
    fit: async () => ({ ok: true, missing: [] }),
    find: async (key) => made.get(key),
    async build(request, { sink }, context) {
      builds.push(context.operation.id)
      const content = bytes([request.dockerfile, request.labels])
      const layer = await sink.blob({ mediaType: mediaTypes.layerGzip, open: () => one(content) }, context)
      const config = await sink.blob(
        { mediaType: mediaTypes.config, open: () => one(bytes({ layer: layer.digest })) },
        context,
      )
      const manifestBytes = bytes({ schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [layer] })
      const manifest = await sink.manifest(manifestBytes, { mediaType: mediaTypes.manifest }, context)
      const { platform } = request
      const image: BuiltImage = {
        manifest,
        platform,
        sizeBytes: layer.size,
        layers: 1,
        at: 'sink',
        steps: { total: 1, cached: 0 },
      }
      made.set(context.operation.id, image)
      return image
    },
  }
}

async function* one(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content
}

/** A registry in memory; all repositories share their blobs. */
export function memoryRegistry(): Registry {
  const images = memoryImages()
  const find = ({ reference }: { reference: string }) => {
    const size = images.contents.get(reference)?.byteLength
    return (
      images.tags.get(reference) ??
      (size === undefined ? undefined : { mediaType: mediaTypes.manifest, digest: reference, size })
    )
  }
  return {
    contract: 'registry/v1',
    kind: 'memory',
    probe: async () => ({ ok: true, summary: 'in memory', details: {} }),
    check: async () => undefined,
    resolve: async (place) => find(place),
    async source(place) {
      const root = find(place)
      if (!root) throw new KiwiError('MANIFEST_UNKNOWN', `there is no ${place.repository} with ${place.reference}`)
      return images.source(root)
    },
    sink: () => images.sink,
    address: (repository) => `memory.test/${repository}`,
  }
}

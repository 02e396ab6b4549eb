import type { Context } from '../contracts/v1/context.js'
import type { ImageSource } from '../contracts/v1/image.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { isManifest, parseManifest } from '../image/manifest.js'
import type { ImageRecord } from '../model/release.js'
import type { ServiceDefinition } from '../model/service.js'
import type { Adapters } from '../registers/adapters.js'
import { named } from '../registers/named.js'
import { forPlatform, locate } from './base-image.js'
import { platformOf } from './platform.js'

/**
 * What an image's name stands for now, as a digest: a tag or digest of the service's own repository (`v1`, `sha256:…`), or a whole reference.
 * Rejects with `MANIFEST_UNKNOWN`, `IMAGE_REFERENCE_INVALID`, `BASE_IMAGE_MISSING` for a registry that is not registered.
 */
export async function resolveImage(
  adapters: Pick<Adapters, 'registries' | 'runtimes'>,
  definition: ServiceDefinition,
  environment: string,
  asked: string,
  context: Context,
): Promise<ImageRecord> {
  const { registry: own, repository } = definition.image
  const { name, registry, place } = isReference(asked)
    ? await locate(adapters.registries, asked)
    : { name: own, registry: await adapters.registries.get(own), place: { repository, reference: asked } }
  if (!(await registry.resolve(place, context)))
    throw new KiwiError('MANIFEST_UNKNOWN', `the registry ${name} has no ${place.repository} with ${place.reference}`, {
      evidence: { registry: name, ...place },
    })
  const runtime = await adapters.runtimes.get(named(definition.environments, environment, 'environment').runtime)
  const found = await registry.source(place, context)
  // An engine that pulls takes its own platform out of an index; to one that is given the image, one is given.
  const image = runtime.traits.takes.includes('registry')
    ? found
    : await forPlatform(found, asked, platformOf(), context.signal)
  const tag = place.reference.startsWith('sha256:') ? undefined : place.reference
  return {
    registry: name,
    repository: place.repository,
    digest: image.root.digest,
    ...(tag !== undefined && { tag }),
    ...(await sizeOf(image, context.signal)),
  }
}

/** `v1` and `sha256:…` are of the service's own repository; anything with a slash, an @ or another colon is a reference. */
function isReference(asked: string): boolean {
  return asked.includes('/') || asked.includes('@') || (asked.includes(':') && !asked.startsWith('sha256:'))
}

async function sizeOf(image: ImageSource, signal: AbortSignal): Promise<{ sizeBytes: number } | undefined> {
  if (!isManifest(image.root.mediaType)) return undefined
  const { layers } = parseManifest(await image.manifest(image.root, signal))
  return { sizeBytes: layers.reduce((sum, { size }) => sum + size, 0) }
}

import type { Context } from '../contracts/v1/context.js'
import type { ImageSource, Platform } from '../contracts/v1/image.js'
import type { ImagePlace, Registry } from '../contracts/v1/registry.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { isIndex, parseIndex } from '../image/manifest.js'
import { rootedAt } from '../image/pipe.js'
import { parseReference } from '../image/reference.js'

/**
 * Opens an image that a Dockerfile names: `embedded/x` lies in the registry registered as `embedded`, any other in the one whose host it
 * names (`docker.io` where it names none). Rejects with `BASE_IMAGE_MISSING`.
 */
export async function openImage(
  registries: Readonly<Record<string, Registry>>,
  name: string,
  platform: Platform,
  context: Context,
): Promise<ImageSource> {
  const { registry, place } = locate(registries, name)
  const found = await registry.resolve(place, context)
  if (!found) throw missing(name, `its registry has no ${place.repository} with ${place.reference}`)
  return forPlatform(await registry.source(place, context), name, platform, context.signal)
}

function locate(
  registries: Readonly<Record<string, Registry>>,
  name: string,
): { registry: Registry; place: ImagePlace } {
  const { host, repository, tag, digest } = parseReference(name)
  const reference = digest ?? tag ?? 'latest'
  const [first = '', ...rest] = repository.split('/')
  const named = host === undefined && rest.length > 0 ? registries[first] : undefined
  if (named) return { registry: named, place: { repository: rest.join('/'), reference } }
  const wanted = host ?? 'docker.io'
  const registry = Object.values(registries).find((one) => one.address('x').startsWith(`${wanted}/`))
  if (!registry)
    throw missing(name, `no registry is registered for ${wanted}; there are ${Object.keys(registries).join(', ')}`)
  return { registry, place: { repository, reference } }
}

/** An index stands for one image per platform: takes the wanted one. */
async function forPlatform(
  source: ImageSource,
  name: string,
  platform: Platform,
  signal: AbortSignal,
): Promise<ImageSource> {
  if (!isIndex(source.root.mediaType)) return source
  const manifests = parseIndex(await source.manifest(source.root, signal))
  const root = manifests.find(
    ({ platform: has }) => has?.os === platform.os && has.architecture === platform.architecture,
  )
  if (!root) throw missing(name, `it has no image for ${platform.os}/${platform.architecture}`)
  return rootedAt(root, source)
}

function missing(name: string, why: string): KiwiError {
  return new KiwiError('BASE_IMAGE_MISSING', `the image ${name} cannot be had: ${why}`, { evidence: { image: name } })
}

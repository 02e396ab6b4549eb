import type { Context } from '../contracts/v1/context.js'
import type { ImageSource, Platform } from '../contracts/v1/image.js'
import type { ImagePlace, Registry } from '../contracts/v1/registry.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { isIndex, parseIndex } from '../image/manifest.js'
import { rootedAt } from '../image/pipe.js'
import { parseReference } from '../image/reference.js'
import type { AdapterPool } from '../registers/adapters.js'

/**
 * Opens an image that a Dockerfile names: `embedded/x` lies in the registry registered as `embedded`, any other in the one whose host it
 * names (`docker.io` where it names none). Rejects with `BASE_IMAGE_MISSING`.
 */
export async function openImage(
  registries: AdapterPool<Registry>,
  name: string,
  platform: Platform,
  context: Context,
): Promise<ImageSource> {
  const { registry, place } = await locate(registries, name)
  const found = await registry.resolve(place, context)
  if (!found) throw missing(name, `its registry has no ${place.repository} with ${place.reference}`)
  return forPlatform(await registry.source(place, context), name, platform, context.signal)
}

/** The registered registry that has the image, by the name or the host that its reference says. Rejects with `BASE_IMAGE_MISSING`. */
export async function locate(
  registries: AdapterPool<Registry>,
  reference: string,
): Promise<{ readonly name: string; readonly registry: Registry; readonly place: ImagePlace }> {
  const { host, repository, tag, digest } = parseReference(reference)
  const wanted = digest ?? tag ?? 'latest'
  const [first = '', ...rest] = repository.split('/')
  const names = await registries.names()
  if (host === undefined && rest.length > 0 && names.includes(first))
    return {
      name: first,
      registry: await registries.get(first),
      place: { repository: rest.join('/'), reference: wanted },
    }
  for (const name of names) {
    const registry = await registries.get(name).catch(unavailable)
    if (registry?.address('x').startsWith(`${host ?? 'docker.io'}/`))
      return { name, registry, place: { repository, reference: wanted } }
  }
  throw missing(reference, `no registry is registered for ${host ?? 'docker.io'}; there are ${names.join(', ')}`)
}

/** One that cannot be used here is passed over: another may have the host. */
function unavailable(error: unknown): undefined {
  if (!KiwiError.is(error) || error.code !== 'ADAPTER_UNAVAILABLE') throw error
}

/** An index stands for one image per platform: takes the wanted one. */
export async function forPlatform(
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

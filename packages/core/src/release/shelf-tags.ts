import type { Context } from '../contracts/v1/context.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { isIndex, parseIndex } from '../image/manifest.js'
import type { Shelf } from './protect.js'

/** Tags of Kiwi's own, by which a registry protects. */
const keepTag = /^kiwi-keep-/

/** The tags of each digest, without those by which Kiwi protects. `skip` leaves out tags that need no look. */
export async function tagsByDigest(
  { registry, repository }: Shelf,
  skip: (tag: string) => boolean,
  context: Context,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>()
  if (!registry.tags) return found
  for await (const tag of registry.tags(repository, context)) {
    if (keepTag.test(tag) || skip(tag)) continue
    const image = await registry.resolve({ repository, reference: tag }, context)
    if (image) found.set(image.digest, [...(found.get(image.digest) ?? []), tag])
  }
  return found
}

/** The parts of each index among the digests, and of indexes in them: those stay as long as it does. */
export async function partsOf(
  { registry, repository }: Shelf,
  digests: Iterable<string>,
  context: Context,
): Promise<ReadonlyMap<string, string>> {
  const parents = new Map<string, string>()
  const waiting = [...digests]
  const seen = new Set<string>()
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    if (seen.has(digest)) continue
    seen.add(digest)
    const root = await registry.resolve({ repository, reference: digest }, context)
    if (!root || !isIndex(root.mediaType)) continue
    for (const part of await readIndex({ registry, repository }, root.digest, context)) {
      parents.set(part, digest)
      waiting.push(part)
    }
  }
  return parents
}

async function readIndex(
  { registry, repository }: Pick<Shelf, 'registry' | 'repository'>,
  digest: string,
  context: Context,
): Promise<string[]> {
  const source = await registry.source({ repository, reference: digest }, context)
  try {
    return parseIndex(await source.manifest(source.root, context.signal)).map((part) => part.digest)
  } catch (error) {
    throw KiwiError.from(error)
  }
}

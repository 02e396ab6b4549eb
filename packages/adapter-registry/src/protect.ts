import { type Context, type Digest, type ImagePlace, KiwiError, type Protection } from '@kiwi/core'
import type { Client } from './client.js'
import { parseDigest } from './names.js'
import { fetchExactly, resolveAt } from './pull.js'
import { putManifest } from './put.js'
import { removeAt } from './remove.js'
import { listTags } from './tags.js'

const own = /^kiwi-keep-(?:[a-f0-9]{12}|[a-f0-9]{64}|[a-f0-9]{128})$/

/** Removes one tag; a vendor may have a way of its own. */
export type RemoveTag = (place: ImagePlace) => Promise<boolean>

/** Gives each digest a tag of Kiwi's own, which registries that clear away untagged manifests leave alone, and takes back those of no digest named. */
export async function protectByTags(
  client: Client,
  repository: string,
  digests: readonly Digest[],
  context: Context,
  remove: RemoveTag = (place) => removeAt(client, place, context),
): Promise<Protection> {
  const present = new Set<string>()
  for await (const tag of listTags(client, repository, context)) if (own.test(tag)) present.add(tag)
  const wanted = keepTags(digests)
  const kept: Digest[] = []
  const notKept: { readonly digest: Digest; readonly because: string }[] = []
  for (const [tag, digest] of wanted) {
    const place = { repository, reference: tag }
    const because = await keep(client, place, digest, present.has(tag), context)
    if (because === undefined) kept.push(digest)
    else notKept.push({ digest, because })
  }
  const malformed = digests.filter((digest) => !parseDigest(digest))
  notKept.push(...malformed.map((digest) => ({ digest, because: 'it is not a digest of a known algorithm' })))
  await letGo(
    remove,
    repository,
    [...present].filter((tag) => !wanted.has(tag)),
  )
  return { by: 'keep-tags', kept, notKept }
}

/** Short where that tells the digests apart. */
function keepTags(digests: readonly Digest[]): ReadonlyMap<string, Digest> {
  const tags = new Map<string, Digest>()
  for (const digest of new Set(digests)) {
    const hex = parseDigest(digest)?.hex
    if (hex === undefined) continue
    const short = `kiwi-keep-${hex.slice(0, 12)}`
    tags.set(tags.has(short) ? `kiwi-keep-${hex}` : short, digest)
  }
  return tags
}

/** Answers why the digest could not be kept. A tag of that name may have been moved by somebody: it is looked at. */
async function keep(client: Client, tagged: ImagePlace, digest: Digest, isPresent: boolean, context: Context) {
  try {
    if (isPresent && (await resolveAt(client, tagged, context))?.digest === digest) return undefined
    const { repository, reference: tag } = tagged
    const found = await fetchExactly(client, { repository, reference: digest }, context)
    if (!found) return 'the registry does not have it'
    await putManifest(client, repository, { ...found, tag }, context)
    return undefined
  } catch (error) {
    context.signal.throwIfAborted()
    if (KiwiError.is(error) && ofThisDigest.has(error.code)) return error.message
    throw error
  }
}

/** What fails for one digest and may not for the next; anything else fails for all. */
const ofThisDigest: ReadonlySet<string> = new Set([
  'DIGEST_MISMATCH',
  'MANIFEST_UNKNOWN',
  'REGISTRY_DENIED',
  'REGISTRY_FAILED',
  'REGISTRY_QUOTA_EXCEEDED',
  'TAG_IMMUTABLE',
])

/** A registry that does not remove tags keeps more than it needs to, which harms nothing. */
async function letGo(remove: RemoveTag, repository: string, obsolete: readonly string[]): Promise<void> {
  try {
    for (const reference of obsolete) await remove({ repository, reference })
  } catch (error) {
    if (!KiwiError.is(error) || error.code !== 'REGISTRY_DENIED') throw error
  }
}

import type { Json } from '../contracts/v1/json.js'
import type { DocumentWrite, Store } from '../contracts/v1/store.js'
import type { Engine } from '../journal/engine.js'
import type { ImageRecord, Release } from '../model/release.js'
import { history } from './history.js'
import { type Shelf, shelfOf } from './protect.js'
import { keptReleases } from './retention.js'

type Place = Pick<ImageRecord, 'registry' | 'repository'>

/**
 * What the release's environment needs from now on, a row for each repository that its history knows. Written in the transaction of the
 * release: so what a repository has to keep is read without reading every history.
 */
export async function holdDocuments(store: Store, release: Release, keep: number): Promise<DocumentWrite[]> {
  const { service, environment } = release
  const releases = [...(await history(store, service, environment)), release]
  const kept = new Set(keptReleases(releases, keep).map(({ image }) => image?.digest))
  const images = releases.flatMap(({ image }) => image ?? [])
  return [...Map.groupBy(images, prefixOf)].map(([prefix, lying]) => {
    const digests = new Set(lying.map(({ digest }) => digest).filter((digest) => kept.has(digest)))
    return { kind: 'hold', key: `${prefix}${service}/${environment}`, value: [...digests].sort() }
  })
}

/** What a prune found to be needed beside the histories (builds, say) stays protected until the next prune. */
export async function holdBeside(
  engine: Pick<Engine, 'adapters' | 'store'>,
  shelf: Shelf,
  needed: readonly string[],
): Promise<void> {
  const held = await heldByHistories(engine, shelf)
  const value = needed.filter((digest) => !held.has(digest))
  await engine.store.documents.put({ kind: 'hold-beside', key: shelf.address, value })
}

/** What has to stay in the repository, as the environments' histories and the last prune say. */
export async function heldOn(engine: Pick<Engine, 'adapters' | 'store'>, shelf: Shelf): Promise<ReadonlySet<string>> {
  const beside = await engine.store.documents.get('hold-beside', shelf.address)
  return new Set([...(await heldByHistories(engine, shelf)), ...digestsIn(beside)])
}

/** The names under which a repository is registered: one registry may have two. */
export async function namesOf(
  engine: Pick<Engine, 'adapters'>,
  { address, repository }: Pick<Shelf, 'address' | 'repository'>,
): Promise<string[]> {
  const names: string[] = []
  for (const registry of await engine.adapters.registries.names()) {
    const at = await shelfOf(engine, { registry, repository }).catch(() => undefined) // one that this process cannot use
    if (at?.address === address) names.push(registry)
  }
  return names
}

async function heldByHistories(
  engine: Pick<Engine, 'adapters' | 'store'>,
  { address, repository }: Shelf,
): Promise<Set<string>> {
  const digests = new Set<string>()
  for (const registry of await namesOf(engine, { address, repository }))
    for (const { value } of await engine.store.documents.list('hold', prefixOf({ registry, repository })))
      for (const digest of digestsIn(value)) digests.add(digest)
  return digests
}

/** Neither name has a colon in it. */
function prefixOf({ registry, repository }: Place): string {
  return `${registry}:${repository}:`
}

/** Written above, and only there. */
function digestsIn(value: Json | undefined): readonly string[] {
  return (value ?? []) as readonly string[]
}

import type { Context } from '../contracts/v1/context.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Engine } from '../journal/engine.js'
import type { Build, Release } from '../model/release.js'
import type { ServiceDefinition } from '../model/service.js'
import { servicesOf } from '../registers/services.js'
import { neededParts } from './needed-here.js'
import { type KeepRules, type Needs, namesTag, needsOf, slotDigests } from './needs.js'
import { type Shelf, shelfOf } from './protect.js'
import type { PrunePolicy } from './prune.js'
import { tagsByDigest } from './shelf-tags.js'
import { tagPattern } from './tag-pattern.js'

/** One image of one repository that might go. */
export interface Item {
  readonly service: string
  readonly reference: string
  readonly digest: string
  readonly shelf: Shelf
  /** Recorded builds of that image there. */
  readonly builds: readonly Build[]
}

export interface Survey {
  readonly unneeded: readonly Item[]
  readonly kept: readonly { readonly item: Item; readonly reasons: readonly string[] }[]
  readonly failed: readonly { readonly reference: string; readonly because: string }[]
  /** The repositories that were looked at. */
  readonly shelves: readonly Shelf[]
}

/** Tells what could go from what is needed. Where a repository cannot be read, nothing of it goes. */
export async function survey(engine: Engine, policy: PrunePolicy, rules: KeepRules, context: Context): Promise<Survey> {
  const all = await servicesOf(engine.store).list()
  const chosen = all.filter(({ name }) => policy.service === undefined || name === policy.service)
  const builds = (await engine.store.documents.list('build', '')).map(({ value }) => value as unknown as Build) // written by builds.ts
  const failed: { reference: string; because: string }[] = []
  const shelves = await shelvesOf(engine, chosen, builds, failed, context)
  const slots = shelves.size === 0 ? new Map<string, string>() : await slotDigests(engine, context)
  const needs = await needsOf(engine, rules)
  const names = new Set(chosen.map(({ name }) => name))
  const considered = await releasedOnlyTo(engine, policy)
  const unneeded: Item[] = []
  const kept: Survey['kept'][number][] = []
  for (const { shelf, mine, definitions } of shelves.values()) {
    try {
      const look = await lookAt(shelf, mine, { definitions, builds, chosen: names, needs, policy }, context)
      const judged = look.items
        .filter(({ digest }) => considered(digest))
        .map((item) => ({
          item,
          reasons: [...(needs.digests.get(item.digest) ?? []), ...look.reasons(item), ...some(slots.get(item.digest))],
        }))
      const free = judged.filter(({ reasons }) => reasons.length === 0)
      const parts =
        free.length === 0
          ? new Map<string, string>()
          : await neededParts(engine, shelf, { needs, slots, foreign: look.foreign }, context)
      for (const { item, reasons } of judged) {
        const parent = parts.get(item.digest)
        const whole = parent === undefined ? reasons : [...reasons, `part of the index ${parent}, which is needed`]
        if (whole.length === 0) unneeded.push(item)
        else kept.push({ item, reasons: whole })
      }
    } catch (error) {
      context.signal.throwIfAborted()
      failed.push({ reference: shelf.address, because: KiwiError.from(error).message })
    }
  }
  return { unneeded, kept, failed, shelves: [...shelves.values()].map(({ shelf }) => shelf) }
}

interface Stock {
  readonly shelf: Shelf
  readonly mine: Build[]
  readonly definitions: ServiceDefinition[]
}

async function shelvesOf(
  engine: Engine,
  chosen: readonly ServiceDefinition[],
  builds: readonly Build[],
  failed: { reference: string; because: string }[],
  context: Context,
): Promise<ReadonlyMap<string, Stock>> {
  const stocks = new Map<string, Stock>()
  const stockAt = async (place: {
    readonly registry: string
    readonly repository: string
  }): Promise<Stock | undefined> => {
    try {
      const shelf = await shelfOf(engine, place)
      const key = JSON.stringify([shelf.address, place.registry])
      const stock = stocks.get(key) ?? { shelf, mine: [], definitions: [] }
      stocks.set(key, stock)
      return stock
    } catch (error) {
      context.signal.throwIfAborted()
      failed.push({ reference: `${place.registry}/${place.repository}`, because: KiwiError.from(error).message })
      return undefined
    }
  }
  for (const definition of chosen) (await stockAt(definition.image))?.definitions.push(definition)
  for (const build of builds)
    if (build.image && !build.pruned && chosen.some(({ name }) => name === build.service))
      (await stockAt(build.image))?.mine.push(build)
  return stocks
}

interface Known {
  readonly definitions: readonly ServiceDefinition[]
  readonly builds: readonly Build[]
  /** Services whose images may go. */
  readonly chosen: ReadonlySet<string>
  readonly needs: Needs
  readonly policy: PrunePolicy
}

async function lookAt(
  shelf: Shelf,
  mine: readonly Build[],
  { definitions, builds, chosen, needs, policy }: Known,
  context: Context,
) {
  const whole = policy.images === 'repository'
  const patterns = definitions.flatMap(({ image }) => tagPattern(image.tag) ?? [])
  const given = new Set(mine.map(({ tag }) => tag))
  const isOurs = (tag: string) => given.has(tag) || patterns.some((pattern) => pattern.test(tag))
  const worthALook = whole || mine.some(({ image }) => image && !needs.digests.has(image.digest))
  const tags = worthALook
    ? await tagsByDigest(shelf, (tag) => !whole && given.has(tag), context)
    : new Map<string, readonly string[]>()
  const items = new Map<string, Item>()
  for (const build of mine) {
    const digest = build.image?.digest ?? ''
    const before = items.get(digest)
    const reference = before?.reference ?? build.reference ?? `${shelf.address}@${digest}`
    items.set(digest, { service: build.service, reference, digest, shelf, builds: [...(before?.builds ?? []), build] })
  }
  const service = definitions[0]?.name
  for (const [digest, [tag]] of whole ? tags : [])
    if (!items.has(digest) && service !== undefined)
      items.set(digest, { service, reference: `${shelf.address}:${tag}`, digest, shelf, builds: [] })
  const foreign = new Set([...tags].filter(([, named]) => !named.every(isOurs)).map(([digest]) => digest))
  const reasons = ({ digest, builds: own }: Item): string[] => [
    ...(tags.get(digest) ?? [])
      .filter((tag) => !isOurs(tag))
      .map((tag) => `the tag ${tag} is not one that Kiwi gives there`),
    ...(own.length === 0 ? (tags.get(digest) ?? []) : [])
      .filter((tag) => namesTag(needs.openText, tag))
      .map((tag) => `a run that has not ended mentions ${tag}`),
    ...(own.length === 0 && policy.olderThanDays !== undefined ? ['how old it is is not known'] : []),
    ...builds
      .filter((build) => !build.pruned && build.image?.digest === digest && !chosen.has(build.service))
      .map((build) => `build ${build.number} of ${build.service} has it too`),
  ]
  return { items: [...items.values()], foreign, reasons }
}

/** With an environment: whether an image was released to it, and to no other. */
async function releasedOnlyTo(
  { store }: Engine,
  { service, environment }: PrunePolicy,
): Promise<(digest: string) => boolean> {
  if (environment === undefined) return () => true
  const releases = (await store.documents.list('release', '')).map(({ value }) => value as unknown as Release) // written by pipeline/record.ts
  const isThere = (one: Release) =>
    one.environment === environment && (service === undefined || one.service === service)
  const digestsOf = (some: readonly Release[]) => new Set(some.map(({ image }) => image?.digest))
  const [there, elsewhere] = [digestsOf(releases.filter(isThere)), digestsOf(releases.filter((one) => !isThere(one)))]
  return (digest) => there.has(digest) && !elsewhere.has(digest)
}

function some(value: string | undefined): string[] {
  return value === undefined ? [] : [value]
}

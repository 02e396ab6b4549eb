import type { Engine } from '../journal/engine.js'
import type { Build, ImageRecord, Release } from '../model/release.js'
import { targetOf } from '../model/render.js'
import type { ServiceDefinition } from '../model/service.js'
import { servicesOf } from '../registers/services.js'
import { current, previousGood } from './history.js'
import { look } from './look.js'
import { keepOf, keptReleases } from './retention.js'

/** What of all services has to stay: two may share a repository, and what one registry calls two names is not known. */
export interface Needs {
  /** Why each digest is needed, the strongest reason first. */
  readonly digests: ReadonlyMap<string, readonly string[]>
  /** Runs whose journal and events are needed. */
  readonly runs: ReadonlySet<string>
  /** Where needed images lie. */
  readonly images: readonly ImageRecord[]
  /** What runs that have not ended were asked for and have made or found, as text. */
  readonly openText: string
  /** The digests in it. */
  readonly open: ReadonlySet<string>
}

export interface KeepRules {
  readonly keepBuilds: number
  /** Builds that began after this are kept, in milliseconds since 1970. */
  readonly keepSince: number | undefined
}

/** Reads the store only. */
export async function needsOf({ store }: Pick<Engine, 'store'>, { keepBuilds, keepSince }: KeepRules): Promise<Needs> {
  const open = await store.runs({ unfinished: true }) // before the releases: one that ends meanwhile is among either
  const steps = (await Promise.all(open.map(({ runId }) => store.steps(runId)))).flat()
  const openText = JSON.stringify([open.map(({ request }) => request), steps])
  const definitions = await servicesOf(store).list()
  const releases = (await store.documents.list('release', '')).map(({ value }) => value as unknown as Release) // written by pipeline/record.ts
  const builds = (await store.documents.list('build', '')).map(({ value }) => value as unknown as Build) // written by builds.ts
  const wanted = wantings()
  const kept = keptOf(releases, definitions, wanted.release)
  const mentioned = new Set(openText.match(/sha256:[0-9a-f]{64}/g))
  for (const digest of mentioned) wanted.digest(digest, 'a run that has not ended mentions it')
  for (const build of builds)
    if (build.tag !== undefined && namesTag(openText, build.tag))
      wanted.build(build, 'a run that has not ended mentions its tag')
  for (const { request } of open) {
    if (request.kind !== 'rollback' || request.to === undefined) continue
    const { service, environment, to } = request
    for (const release of releases)
      if (
        release.service === service &&
        release.environment === environment &&
        [release.number, release.id].includes(to)
      )
        wanted.release(release, `a rollback that has not ended brings back ${nameOf(release)}`)
  }
  const newest = newestBuilds(builds, { keepBuilds, keepSince }, wanted.build)
  return {
    digests: wanted.reasons,
    images: wanted.images,
    runs: new Set([...kept, ...newest].map(({ runId }) => runId)), // a build that was not pushed yet is pushed out of its run's journal
    openText,
    open: mentioned,
  }
}

/** Whether a run that has not ended names the tag: alone, or at the end of a reference. */
export function namesTag(openText: string, tag: string): boolean {
  return openText.includes(`"${tag}"`) || openText.includes(`:${tag}"`)
}

/** Digests that runtimes still have in a slot. A runtime that cannot be asked tells nothing: what the history needs is needed anyway. */
export async function slotDigests(
  { store, adapters, clock }: Engine,
  context: Parameters<typeof look>[2]['context'],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  const places = (await servicesOf(store).list()).flatMap(({ name, environments }) =>
    Object.entries(environments).map(([environment, definition]) => ({ name, environment, definition })),
  )
  await Promise.all(
    places.map(async ({ name, environment, definition }) => {
      try {
        const runtime = await adapters.runtimes.get(definition.runtime)
        const { slots } = await look(runtime, targetOf(name, environment, definition), { clock, context })
        for (const { id, digest } of slots) found.set(digest, `the slot ${id} of ${name} in ${environment} has it`)
      } catch {
        context.signal.throwIfAborted()
      }
    }),
  )
  return found
}

function wantings() {
  const reasons = new Map<string, string[]>()
  const images: ImageRecord[] = []
  const digest = (of: string | undefined, because: string) => {
    if (of === undefined) return
    const known = reasons.get(of) ?? []
    if (!known.includes(because)) reasons.set(of, [...known, because])
  }
  const release = ({ image }: Release, because: string) => {
    digest(image?.digest, because)
    if (image) images.push(image)
  }
  const build = ({ image, digest: made }: Build, because: string) => {
    digest(made, because)
    digest(image?.digest, because)
    if (image) images.push(image)
  }
  return { reasons, images, digest, release, build }
}

/** Of every environment that has releases, also where the definition has it no more, or the service is gone. */
function keptOf(
  all: readonly Release[],
  definitions: readonly ServiceDefinition[],
  want: (release: Release, because: string) => void,
): Release[] {
  const places = Map.groupBy(all, ({ service, environment }) => JSON.stringify([service, environment])).values()
  return [...places].flatMap((unordered) => {
    const releases = unordered.toSorted((one, other) => one.number - other.number)
    const [first] = releases
    const definition = definitions.find(({ name }) => name === first?.service)
    const kept = keptReleases(releases, definition && first ? keepOf(definition, first.environment) : undefined)
    const now = current(releases)
    const before = previousGood(releases)
    if (now) want(now, `the current ${nameOf(now)}`)
    if (before) want(before, `${nameOf(before)}, which a rollback would bring back`)
    for (const release of kept.toReversed())
      if (release !== now && release !== before)
        want(release, `${nameOf(release)}, one of those kept to be rolled back to`)
    return kept
  })
}

function nameOf({ number, service, environment }: Release): string {
  return `release ${number} of ${service} in ${environment}`
}

/** Images that were made, whatever became of them; those that failed count for nothing. */
function newestBuilds(
  all: readonly Build[],
  { keepBuilds, keepSince = Number.POSITIVE_INFINITY }: KeepRules,
  want: (build: Build, because: string) => void,
): Build[] {
  return [...Map.groupBy(all, ({ service }) => service)].flatMap(([service, unordered]) => {
    const builds = unordered.toSorted((one, other) => other.number - one.number)
    const newest = builds.filter(({ digest, pruned }) => digest !== undefined && !pruned).slice(0, keepBuilds)
    const young = builds.filter(({ startedAt }) => startedAt >= keepSince)
    const running = builds.filter(({ status }) => status === 'running')
    for (const build of newest) want(build, `one of the newest ${keepBuilds} builds of ${service}`)
    for (const build of young) want(build, `build ${build.number} of ${service} is younger than the policy asks`)
    for (const build of running) want(build, `build ${build.number} of ${service} is being made`)
    return [...newest, ...young, ...running]
  })
}

import type { Context } from '../contracts/v1/context.js'
import type { RunRow } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Engine } from '../journal/engine.js'
import { isOpen } from '../journal/run-row.js'
import type { Build, Release } from '../model/release.js'
import type { ServiceDefinition } from '../model/service.js'
import { definitionOf, servicesOf } from '../registers/services.js'
import { buildDocument, builds } from './builds.js'
import { keepOf, keptReleases } from './retention.js'

/** What was removed, or would be. */
export interface Pruned {
  readonly applied: boolean
  /** Images of builds that no kept release and none of the newest builds needs. */
  readonly images: readonly { readonly service: string; readonly reference: string; readonly digest: string }[]
  /** Runs whose events and journal are forgotten; their rows and releases stay. */
  readonly runs: readonly string[]
  /** What could not be removed, and why. */
  readonly failed: readonly { readonly reference: string; readonly because: string }[]
}

/** So many newest builds, and newest runs, of a service are kept whatever became of them. */
const newestKept = { builds: 10, runs: 100 }

/** Removes what no kept release needs. An image is removed by digest, and only where Kiwi built it and no service keeps that digest. */
export async function prune(
  engine: Engine,
  { service, apply = false }: { readonly service?: string | undefined; readonly apply?: boolean | undefined },
  context: Context,
): Promise<Pruned> {
  const all = await servicesOf(engine.store).list()
  const chosen = service === undefined ? all : [await definitionOf(engine.store, service)]
  const needed = await neededOf(engine, all)
  const images = (await Promise.all(chosen.map(({ name }) => staleBuilds(engine, name, needed)))).flat()
  const runs = (await Promise.all(chosen.map(({ name }) => staleRuns(engine, name, needed)))).flat()
  const failed = apply ? await remove(engine, images, context) : []
  if (apply) for (const { runId } of runs) await engine.store.forget(runId)
  const gone = images.filter(({ reference }) => !failed.some((one) => one.reference === reference))
  return {
    applied: apply,
    images: gone.map(({ service: of, reference, digest }) => ({
      service: of,
      reference: reference ?? '',
      digest: digest ?? '',
    })),
    runs: runs.map(({ runId }) => runId),
    failed,
  }
}

interface Needed {
  readonly digests: ReadonlySet<string | undefined>
  readonly runs: ReadonlySet<string>
}

/** Of all services, as two may share a repository. */
async function neededOf(engine: Engine, definitions: readonly ServiceDefinition[]): Promise<Needed> {
  const kept = await keptReleasesOf(engine, definitions)
  const lists = await Promise.all(definitions.map(({ name }) => builds(engine.store, name)))
  const newest = lists.flatMap((list) => [
    ...list.slice(0, newestKept.builds),
    ...list.filter(({ status }) => status === 'running'),
  ])
  return {
    digests: new Set([
      ...kept.map(({ image }) => image?.digest),
      ...newest.map(({ digest }) => digest),
      ...(await inUse(engine)),
    ]),
    runs: new Set([...kept, ...newest].map(({ runId }) => runId)), // a build that was not pushed yet is pushed out of its run's journal
  }
}

/** Of every environment that has releases, also where the definition has it no more, or the service is gone. */
async function keptReleasesOf({ store }: Engine, definitions: readonly ServiceDefinition[]): Promise<Release[]> {
  const all = (await store.documents.list('release', '')).map(({ value }) => value as unknown as Release) // written by pipeline/record.ts
  const places = Map.groupBy(all, ({ service, environment }) => JSON.stringify([service, environment])).values()
  return [...places].flatMap((releases) => {
    const { service, environment } = releases[0] ?? {}
    const definition = definitions.find(({ name }) => name === service)
    const inOrder = releases.toSorted((one, other) => one.number - other.number)
    return keptReleases(inOrder, definition && environment !== undefined ? keepOf(definition, environment) : undefined)
  })
}

/** What a run that has not ended has made or found, it may be about to deploy. */
async function inUse({ store }: Engine): Promise<readonly string[]> {
  const open = await store.runs({ unfinished: true })
  const steps = (await Promise.all(open.map(({ runId }) => store.steps(runId)))).flat()
  const text = JSON.stringify([open.map(({ request }) => request), steps])
  return text.match(/sha256:[0-9a-f]{64}/g) ?? []
}

async function staleBuilds({ store }: Engine, service: string, { digests }: Needed): Promise<Build[]> {
  const all = await builds(store, service)
  return all.filter(({ image, pruned }) => image !== undefined && !pruned && !digests.has(image.digest))
}

async function staleRuns({ store }: Engine, service: string, { runs }: Needed): Promise<RunRow[]> {
  const ended = (await store.runs({ service })).filter((row) => !isOpen(row))
  const old = ended.slice(0, -newestKept.runs).filter(({ runId }) => !runs.has(runId))
  const remembered = await Promise.all(old.map(({ runId, lastSeq }) => store.read(runId, lastSeq - 1, 1)))
  return old.filter((_, index) => remembered[index]?.length !== 0)
}

async function remove(engine: Engine, stale: readonly Build[], context: Context): Promise<Pruned['failed'][number][]> {
  const failed: Pruned['failed'][number][] = []
  for (const build of stale) {
    const { image, reference } = build
    if (!image) continue
    try {
      const registry = await engine.adapters.registries.get(image.registry)
      if (!registry.remove) throw new KiwiError('INPUT_INVALID', `a ${registry.kind} registry cannot remove images`)
      await registry.remove({ repository: image.repository, reference: image.digest }, context)
      await engine.store.documents.put(buildDocument({ ...build, pruned: true }))
    } catch (error) {
      context.signal.throwIfAborted()
      failed.push({ reference: reference ?? image.digest, because: KiwiError.from(error).message })
    }
  }
  return failed
}

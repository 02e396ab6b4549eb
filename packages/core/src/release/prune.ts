import type { Context } from '../contracts/v1/context.js'
import type { RunRow } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Engine } from '../journal/engine.js'
import { isOpen } from '../journal/run-row.js'
import type { Build, Release } from '../model/release.js'
import type { ServiceDefinition } from '../model/service.js'
import { definitionOf, servicesOf } from '../registers/services.js'
import { buildDocument, builds } from './builds.js'
import { history } from './history.js'
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
  const kept = await keptEverywhere(engine, all)
  const chosen = service === undefined ? all : [await definitionOf(engine.store, service)]
  const images = (await Promise.all(chosen.map(({ name }) => staleBuilds(engine, name, kept)))).flat()
  const runs = (await Promise.all(chosen.map(({ name }) => staleRuns(engine, name, kept)))).flat()
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

/** Of all services: two may share a repository. */
async function keptEverywhere({ store }: Engine, definitions: readonly ServiceDefinition[]): Promise<Release[]> {
  const lists = definitions.flatMap((definition) =>
    Object.keys(definition.environments).map(async (environment) =>
      keptReleases(await history(store, definition.name, environment), keepOf(definition, environment)),
    ),
  )
  return (await Promise.all(lists)).flat()
}

async function staleBuilds({ store }: Engine, service: string, kept: readonly Release[]): Promise<Build[]> {
  const all = await builds(store, service)
  const needed = new Set([
    ...kept.map(({ image }) => image?.digest),
    ...all.slice(0, newestKept.builds).map(({ digest }) => digest),
    ...all.filter(({ status }) => status === 'running').map(({ digest }) => digest),
  ])
  return all.filter(({ image, pruned }) => image !== undefined && !pruned && !needed.has(image.digest))
}

async function staleRuns({ store }: Engine, service: string, kept: readonly Release[]): Promise<RunRow[]> {
  const needed = new Set(kept.map(({ runId }) => runId))
  const rows = await store.runs({ service })
  const ended = rows.filter((row) => !isOpen(row))
  return ended.slice(0, -newestKept.runs).filter(({ runId, lastSeq }) => lastSeq > 0 && !needed.has(runId))
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

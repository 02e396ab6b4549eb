import type { Context } from '../contracts/v1/context.js'
import type { RunRow } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Engine } from '../journal/engine.js'
import { isOpen } from '../journal/run-row.js'
import { definitionOf, servicesOf } from '../registers/services.js'
import { type KeepRules, type Needs, needsOf } from './needs.js'
import type { Protected } from './protect.js'
import { clear } from './prune-clear.js'
import { type Item, survey } from './prune-survey.js'

/** What may go. What a release of any environment needs stays whatever is asked. */
export interface PrunePolicy {
  /** Default: all. */
  readonly service?: string | undefined
  /** Only runs of this environment, and images that were released to it and to no other. Default: all. */
  readonly environment?: string | undefined
  /** So many newest builds of each service stay, released or not. Default 10. */
  readonly keepBuilds?: number | undefined
  /** So many newest ended runs of each service keep their events. Default 100. */
  readonly keepRuns?: number | undefined
  /** Nothing younger goes. Default: the age does not matter. */
  readonly olderThanDays?: number | undefined
  /**
   * `built`: images of recorded builds. `repository`: also what else lies in the repository of a service under tags as its rule gives them;
   * never what has a tag of others too. Default `built`.
   */
  readonly images?: 'built' | 'repository' | undefined
  /** Has the registry protect what is needed before anything goes. Default true. */
  readonly protect?: boolean | undefined
  /** Does it. Default false: it is only said. */
  readonly apply?: boolean | undefined
}

export interface PrunedImage {
  readonly service: string
  readonly reference: string
  readonly digest: string
}

/** What was removed, or would be, and what was not and why. */
export interface Pruned {
  readonly applied: boolean
  /** Images that nothing needs. */
  readonly images: readonly PrunedImage[]
  /** Images that stay, with the strongest reason first; `also` has the others. */
  readonly kept: readonly (PrunedImage & { readonly because: string; readonly also: readonly string[] })[]
  /** Runs whose events and journal are forgotten; their rows and releases stay. */
  readonly runs: readonly string[]
  /** What could not be removed, and why. */
  readonly failed: readonly { readonly reference: string; readonly because: string }[]
  /** How each repository keeps what is needed; empty unless applied. */
  readonly protected: readonly Protected[]
}

/** Removes what no kept release needs. Rejects with `INPUT_INVALID` for a policy that is none, `SERVICE_UNKNOWN`. */
export async function prune(engine: Engine, policy: PrunePolicy, context: Context): Promise<Pruned> {
  check(policy)
  const { service, environment, apply = false } = policy
  if (service !== undefined) await definitionOf(engine.store, service, environment)
  const rules = rulesOf(engine, policy)
  const found = await survey(engine, policy, rules, context)
  const runs = await staleRuns(engine, policy, rules, await needsOf(engine, rules))
  const cleared = apply ? await clear(engine, found, { rules, protect: policy.protect ?? true }, context) : undefined
  if (apply) for (const { runId } of runs) await engine.store.forget(runId)
  return {
    applied: apply,
    images: (cleared?.removed ?? found.unneeded).map(shown),
    kept: [...found.kept, ...(cleared?.kept ?? [])].map(({ item, reasons: [because = '', ...also] }) => ({
      ...shown(item),
      because,
      also,
    })),
    runs: runs.map(({ runId }) => runId),
    failed: [...found.failed, ...(cleared?.failed ?? [])],
    protected: cleared?.protected ?? [],
  }
}

function check({ keepBuilds, keepRuns, olderThanDays, images }: PrunePolicy): void {
  for (const [name, value] of Object.entries({ keepBuilds, keepRuns }))
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0))
      throw new KiwiError(
        'INPUT_INVALID',
        `the prune policy cannot be used: ${name} is to be a whole number, 0 or more`,
      )
  if (olderThanDays !== undefined && !(Number.isFinite(olderThanDays) && olderThanDays >= 0))
    throw new KiwiError('INPUT_INVALID', 'the prune policy cannot be used: olderThanDays is to be a number, 0 or more')
  if (images !== undefined && images !== 'built' && images !== 'repository')
    throw new KiwiError('INPUT_INVALID', "the prune policy cannot be used: images is to be 'built' or 'repository'")
}

const dayMs = 86_400_000

function rulesOf({ clock }: Engine, { keepBuilds = 10, olderThanDays }: PrunePolicy): KeepRules {
  return { keepBuilds, keepSince: olderThanDays === undefined ? undefined : clock.now() - olderThanDays * dayMs }
}

function shown({ service, reference, digest }: Item): PrunedImage {
  return { service, reference, digest }
}

async function staleRuns(
  { store }: Engine,
  { service: only, environment, keepRuns = 100 }: PrunePolicy,
  { keepSince = Number.POSITIVE_INFINITY }: KeepRules,
  needs: Needs,
): Promise<RunRow[]> {
  const services = only === undefined ? (await servicesOf(store).list()).map(({ name }) => name) : [only]
  const stale = services.map(async (service) => {
    const ended = (await store.runs({ service, environment })).filter((row) => !isOpen(row))
    const old = ended
      .slice(0, Math.max(ended.length - keepRuns, 0))
      .filter(({ runId, endedAt = 0 }) => !needs.runs.has(runId) && endedAt < keepSince)
    const remembered = await Promise.all(old.map(({ runId, lastSeq }) => store.read(runId, lastSeq - 1, 1)))
    return old.filter((_, index) => remembered[index]?.length !== 0)
  })
  return (await Promise.all(stale)).flat()
}

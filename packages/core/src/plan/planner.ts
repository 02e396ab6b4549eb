import type { Context } from '../contracts/v1/context.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Stage } from '../events/event.js'
import type { Engine } from '../journal/engine.js'
import { lookingContext } from '../journal/looking-context.js'
import { applyFixes } from '../model/fixes.js'
import type { Release } from '../model/release.js'
import { renderSpec, replicasOf } from '../model/render.js'
import type { RunKind } from '../model/run.js'
import type { EnvironmentDefinition, ServiceDefinition } from '../model/service.js'
import { checkTagRule } from '../model/tag.js'
import { strategyOn } from '../pipeline/deploy.js'
import { resolveImage } from '../pipeline/image.js'
import { named } from '../registers/named.js'
import { definitionOf } from '../registers/services.js'
import { current, history } from '../release/history.js'
import { quarantined, refuseQuarantined } from '../release/quarantine.js'
import { readinessOf } from '../release/readiness.js'
import { usualTimeOf } from '../release/stage-times.js'
import { schemaChangesAfter, targetRelease } from '../release/target-release.js'
import { isSecretReference } from '../secrets/reference.js'
import type { Fix } from '../verdict/diagnosis.js'
import { type Deployable, differences } from './differences.js'
import type { Change, Plan, Problem, Warning } from './plan.js'
import { recommendations } from './warnings.js'

interface Asked {
  readonly environment: string
}

/** Says what a run would do, by reading only: nothing is built, claimed or written. What would stop it is a problem of the plan, not an error. */
export interface Planner {
  /** `fixes` of a diagnosis are applied to the definition first. */
  release(
    service: string,
    options: Asked & { readonly ref: string; readonly fixes?: readonly Fix[] | undefined },
  ): Promise<Plan>
  deploy(service: string, options: Asked & { readonly image: string }): Promise<Plan>
  rollback(
    service: string,
    options: Asked & { readonly to?: string | number | undefined; readonly acceptSchemaChange?: boolean | undefined },
  ): Promise<Plan>
}

/** What is known of one plan while it is made. */
interface Draft {
  readonly kind: Plan['kind']
  readonly definition: ServiceDefinition
  readonly environment: string
  readonly releases: readonly Release[]
  readonly changes: Change[]
  readonly warnings: Warning[]
  readonly problems: Problem[]
  readonly context: Context
}

export function planner(engine: Engine): Planner {
  const begin = async (kind: Plan['kind'], service: string, environment: string, fixes: readonly Fix[] = []) => {
    const definition = applyFixes(await definitionOf(engine.store, service, environment), fixes)
    const releases = await history(engine.store, service, environment)
    const context = lookingContext(engine)
    const draft: Draft = { kind, definition, environment, releases, changes: [], warnings: [], problems: [], context }
    return draft
  }
  return {
    async release(service, { environment, ref, fixes }) {
      const draft = await begin('release', service, environment, fixes)
      draft.warnings.push(...recommendations(draft.definition, environment))
      await attempt(draft, async () => checkTagRule(draft.definition.image.tag))
      await attempt(draft, () => sourceChanges(engine, draft, ref))
      return finish(engine, draft, asDefined(draft), undefined)
    },
    async deploy(service, { environment, image }) {
      const draft = await begin('deploy', service, environment)
      draft.warnings.push(...recommendations(draft.definition, environment))
      const found = await attempt(draft, () =>
        resolveImage(engine.adapters, draft.definition, environment, image, draft.context),
      )
      const place = { service, environment }
      if (found)
        await attempt(draft, () =>
          refuseQuarantined(engine.store, {
            ...place,
            digest: found.digest,
            spec: renderSpec(environmentIn(draft.definition, environment)),
          }),
        )
      return finish(engine, draft, { ...asDefined(draft), image: found }, found?.digest)
    },
    async rollback(service, { environment, to, acceptSchemaChange }) {
      const draft = await begin('rollback', service, environment)
      const kept = await attempt(draft, async () => targetRelease(draft.releases, { to, acceptSchemaChange }))
      if (!kept) return finish(engine, draft, undefined, undefined)
      await attempt(draft, () => bringBack(engine, draft, kept))
      return finish(engine, draft, kept, kept.image?.digest)
    },
  }
}

/** What would stop the run becomes a problem of the plan. */
async function attempt<T>({ problems, context }: Draft, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    context.signal.throwIfAborted()
    const { code, message, hint } = KiwiError.from(error)
    problems.push({ code, message, hint })
    return undefined
  }
}

/** The environment as the definition has it. */
function asDefined({ definition, environment: name }: Draft): Deployable {
  const environment = environmentIn(definition, name)
  return { spec: renderSpec(environment), replicas: replicasOf(name, environment) }
}

function environmentIn(definition: ServiceDefinition, name: string): EnvironmentDefinition {
  return named(definition.environments, name, 'environment')
}

async function sourceChanges({ adapters }: Engine, draft: Draft, ref: string): Promise<void> {
  const { definition, releases, changes, context } = draft
  const source = await adapters.source(definition.source)
  const { commit, subject } = await source.resolve(ref, context)
  const before = current(releases)?.commit
  if (commit === before) return
  changes.push({ what: `commit${subject ? `: ${subject}` : ''}`, from: before ?? null, to: commit })
  if (before === undefined || !source.changed) return
  const paths = await source.changed(before, commit, context).catch(() => []) // the old commit may be gone from the repository
  if (paths.length > 0) changes.push({ what: `${paths.length} files`, to: paths.slice(0, 100) })
}

async function bringBack(engine: Engine, draft: Draft, release: Release): Promise<void> {
  const { class: how, because } = await readinessOf(engine, { definition: draft.definition, release }, draft.context)
  if (how === 'impossible') throw new KiwiError('ROLLBACK_IMPOSSIBLE', `release ${release.number}: ${because}`)
  const crossed = schemaChangesAfter(draft.releases, release)
  if (crossed.length > 0)
    draft.warnings.push({
      code: 'schema-change',
      message: `it crosses the schema change of release ${crossed.join(', ')}`,
    })
}

async function finish(
  engine: Engine,
  draft: Draft,
  wanted: Deployable | undefined,
  digest: string | undefined,
): Promise<Plan> {
  const { kind, definition, environment, releases, changes, warnings, problems, context } = draft
  const now = current(releases)
  if (!now)
    warnings.push({ code: 'first-release', message: 'nothing runs there yet: there will be nothing to roll back to' })
  if (wanted) changes.push(...differences(now, wanted, environment))
  for (const value of Object.values(wanted?.spec?.env ?? {}).filter(isSecretReference))
    await attempt(draft, () => context.secret(value, async () => undefined))
  const strategy = await attempt(draft, async () =>
    strategyOn(
      await engine.adapters.runtimes.get(environmentIn(definition, environment).runtime),
      environmentIn(definition, environment),
    ),
  )
  await attempt(draft, async () => void (await engine.adapters.registries.get(definition.image.registry)))
  if (digest !== undefined) warnings.push(...(await quarantineWarnings(engine, draft, digest)))
  return {
    kind,
    service: definition.name,
    environment,
    changes,
    warnings,
    problems,
    readinessAfterwards: await readinessAfterwards(engine, draft, now, strategy),
    etaMs: await etaOf(engine, definition.name, kind),
    behind: await behind(engine, definition.name, environment),
  }
}

async function quarantineWarnings(
  { store }: Engine,
  { definition, environment }: Draft,
  digest: string,
): Promise<Warning[]> {
  const found = (await quarantined(store, { service: definition.name, environment })).find(
    (one) => one.digest === digest,
  )
  return found
    ? [{ code: 'quarantined', message: `${digest} failed here as ${found.releaseId}: ${found.message}` }]
    : []
}

/** After a blue-green switch the replaced slot stays ready; rolling and recreate keep it without instances. */
async function readinessAfterwards(
  engine: Engine,
  { definition, context }: Draft,
  now: Release | undefined,
  strategy: EnvironmentDefinition['strategy'],
): Promise<Plan['readinessAfterwards']> {
  if (!now) return { class: 'impossible', because: 'nothing runs there yet', cause: 'never-deployed' }
  const etaMs = await usualTimeOf(engine.store, definition.name, 'rollback', 'deploy')
  try {
    const today = await readinessOf(engine, { definition, release: now }, context)
    if (today.class === 'impossible' || strategy === 'blue-green') return today
    return { class: 'warm', because: `${strategy ?? 'the strategy'} keeps its slot without instances`, etaMs }
  } catch (error) {
    context.signal.throwIfAborted()
    return { class: 'impossible', because: KiwiError.from(error).message }
  }
}

const stagesOf: Record<Plan['kind'], readonly Stage[]> = {
  release: ['source', 'analyse', 'build', 'push', 'deploy', 'verify', 'record'],
  deploy: ['source', 'deploy', 'verify', 'record'],
  rollback: ['deploy', 'verify', 'record'],
}

async function etaOf({ store }: Engine, service: string, kind: Plan['kind'] & RunKind): Promise<number> {
  const times = await Promise.all(stagesOf[kind].map((stage) => usualTimeOf(store, service, kind, stage)))
  return times.reduce((sum, time) => sum + time, 0)
}

async function behind({ store }: Engine, service: string, environment: string): Promise<Plan['behind']> {
  const open = await store.runs({ service, environment, unfinished: true })
  return open.map(({ runId, request, startedAt, acceptedAt }) => ({
    runId,
    by: request.by,
    since: startedAt ?? acceptedAt,
  }))
}

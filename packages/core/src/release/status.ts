import type { Context } from '../contracts/v1/context.js'
import type { SlotState, Snapshot } from '../contracts/v1/snapshot.js'
import type { RunRow } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Release } from '../model/release.js'
import { targetOf } from '../model/render.js'
import type { RunKind } from '../model/run.js'
import type { ServiceDefinition } from '../model/service.js'
import { named } from '../registers/named.js'
import { readyCount } from '../rollout/read.js'
import { current, history, previousGood } from './history.js'
import { look } from './look.js'
import { type Readiness, type Reading, readinessOf } from './readiness.js'

/** What is so in one environment now. */
export interface Status {
  readonly service: string
  readonly environment: string
  /** What runs by the history; left out when nothing does. */
  readonly current?: Release | undefined
  /** What the runtime shows; left out when it cannot be asked, then `unreachable` says why. */
  readonly seen?: Snapshot | undefined
  readonly unreachable?: string | undefined
  /** Instances with traffic that are ready, of how many that were wanted. */
  readonly ready: number
  readonly total: number
  readonly addresses: readonly string[]
  /** Where what is seen is not what was deployed, one sentence each; a deploy heals it. */
  readonly drift: readonly string[]
  /** What a rollback without a target would bring back. */
  readonly rollback?: { readonly release: Release; readonly readiness: Readiness } | undefined
  readonly underWay?: RunInBrief | undefined
  readonly waiting: readonly RunInBrief[]
}

export interface RunInBrief {
  readonly runId: string
  readonly kind: RunKind
  readonly by: string
  /** Milliseconds since 1970. */
  readonly since: number
}

export async function status(
  reading: Reading,
  definition: ServiceDefinition,
  name: string,
  context: Context,
): Promise<Status> {
  const { store, adapters, clock } = reading
  const releases = await history(store, definition.name, name)
  const now = current(releases)
  const environment = named(definition.environments, name, 'environment')
  const seen = await adapters.runtimes
    .get(environment.runtime)
    .then((runtime) => look(runtime, targetOf(definition.name, name, environment), { clock, context }))
    .catch((error: unknown) => KiwiError.from(error))
  context.signal.throwIfAborted()
  const open = await store.runs({ service: definition.name, environment: name, unfinished: true })
  const runs = {
    underWay: open.filter((row) => row.status === 'running').map(inBrief)[0],
    waiting: open.filter((row) => row.status === 'accepted').map(inBrief),
  }
  const place = { service: definition.name, environment: name, current: now, ...runs }
  if (KiwiError.is(seen))
    return { ...place, unreachable: seen.message, ready: 0, total: now?.replicas ?? 0, addresses: [], drift: [] }
  const previous = previousGood(releases)
  const routed = seen.slots.filter(({ id }) => seen.route.slots.includes(id))
  return {
    ...place,
    seen,
    ready: routed.reduce((sum, slot) => sum + readyCount(slot), 0),
    total: now?.replicas ?? 0,
    addresses: seen.route.addresses,
    drift: runs.underWay ? [] : driftOf(now, seen, routed),
    ...(previous && {
      rollback: {
        release: previous,
        readiness: await readinessOf(reading, { definition, release: previous, snapshot: seen }, context),
      },
    }),
  }
}

function inBrief({ runId, request: { kind, by }, startedAt, acceptedAt }: RunRow): RunInBrief {
  return { runId, kind, by, since: startedAt ?? acceptedAt }
}

function driftOf(now: Release | undefined, { slots, route }: Snapshot, routed: readonly SlotState[]): string[] {
  if (!now)
    return slots.length === 0 ? [] : [`nothing is deployed, but there is ${slots.map(({ id }) => id).join(', ')}`]
  const slot = slots.find(({ id }) => id === now.slot)
  if (!slot) return [`the slot ${now.slot} of the current release is gone`]
  return [
    ...(route.slots.includes(slot.id)
      ? []
      : [`the traffic goes to ${route.slots.join(', ') || 'nothing'}, not to ${slot.id}`]),
    ...routed.filter(({ id }) => id !== slot.id).map(({ id }) => `${id} has traffic too`),
    ...(slot.digest === now.image?.digest ? [] : [`${slot.id} runs ${slot.digest}`]),
    ...(slot.replicas === now.replicas
      ? []
      : [`${slot.id} is to have ${slot.replicas} instances, not ${now.replicas}`]),
    ...(slot.instances.length < slot.replicas
      ? [`${slot.replicas - slot.instances.length} instances of ${slot.id} are gone`]
      : []),
  ]
}

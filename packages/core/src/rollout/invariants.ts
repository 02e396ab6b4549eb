import type { Action, EnsureSlot } from '../contracts/v1/actions.js'
import type { Snapshot } from '../contracts/v1/snapshot.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { readyCount, readyRouted, slotOf } from './read.js'
import type { Procedure, Wanted } from './types.js'

/**
 * What no procedure may ever do: route to something unready, remove or empty what carries traffic, take the only healthy copy away (but
 * `recreate` and `remove`, whose purpose that is), and for `rolling`: go below the wanted number of ready instances.
 * Throws `INTERNAL`: a procedure that gets here is wrong, and stopping is better than an outage.
 */
export function guard(procedure: Procedure, action: Action, snapshot: Snapshot, wanted: Wanted): void {
  const problem = problemOf(procedure, action, snapshot, wanted)
  if (problem !== undefined) throw new KiwiError('INTERNAL', `a rollout decision was refused: ${problem}`)
}

function problemOf(procedure: Procedure, action: Action, snapshot: Snapshot, wanted: Wanted): string | undefined {
  const mayEmpty = procedure === 'recreate' || procedure === 'remove'
  switch (action.type) {
    case 'route': {
      const unready = action.to.find((id) => readyCount(slotOf(snapshot, id)) === 0)
      if (unready !== undefined) return `the route may not go to ${unready}: it is not ready`
      if (action.to.length === 0 && !mayEmpty) return `${procedure} may not close the route`
      return procedure === 'scale' ? 'scale may not move the route' : undefined
    }
    case 'remove-slot':
      if (isRouted(snapshot, action.slot)) return `${action.slot} gets the traffic and may not be removed`
      return !mayEmpty && isOnlyHealthy(snapshot, action.slot, wanted)
        ? `${action.slot} is the only healthy copy and may not be removed`
        : undefined
    case 'ensure-slot':
      return problemOfOrder(procedure, action, snapshot, wanted)
    case 'run-once':
      return wanted.beforeSwitch === undefined || action.slot !== wanted.slot ? 'no task is wanted' : undefined
    case 'remove-target':
      return procedure === 'remove' && snapshot.slots.length === 0 ? undefined : 'the target is still in use'
  }
}

function problemOfOrder(
  procedure: Procedure,
  { slot, replicas }: EnsureSlot,
  snapshot: Snapshot,
  wanted: Wanted,
): string | undefined {
  if (slot !== wanted.slot && slot !== wanted.replaces?.slot) return `${slot} is not what this run is after`
  const routed = isRouted(snapshot, slot)
  if (replicas === 0) {
    if (routed) return `${slot} gets the traffic and may not be emptied`
    const only = procedure !== 'recreate' && procedure !== 'remove' && isOnlyHealthy(snapshot, slot, wanted)
    return only ? `${slot} is the only healthy copy and may not be emptied` : undefined
  }
  const fewer = (slotOf(snapshot, slot)?.replicas ?? 0) - replicas
  if (procedure !== 'rolling' || slot === wanted.slot || !routed || fewer <= 0) return undefined
  const enough = readyRouted(snapshot) - fewer >= wanted.replicas
  return enough ? undefined : `fewer than ${wanted.replicas} instances would stay ready without ${fewer} of ${slot}`
}

function isRouted({ route }: Snapshot, slot: string): boolean {
  return route.slots.includes(slot)
}

/** A copy that never had the traffic and replaces nothing is not yet one that anybody relies on. */
function isOnlyHealthy(snapshot: Snapshot, slot: string, { replaces }: Wanted): boolean {
  const others = snapshot.slots.filter(({ id }) => id !== slot)
  const last = readyCount(slotOf(snapshot, slot)) > 0 && others.every((other) => readyCount(other) === 0)
  return last && (replaces !== undefined || snapshot.route.slots.length > 0)
}

import type { Action } from '../contracts/v1/actions.js'
import type { Snapshot } from '../contracts/v1/snapshot.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { isReady, slotOf } from './read.js'
import type { Wanted } from './types.js'

/**
 * What no strategy may ever do: route to something unready, remove or empty what carries traffic.
 * Throws `INTERNAL`: a strategy that gets here is wrong, and stopping is better than an outage.
 */
export function guard(action: Action, snapshot: Snapshot, wanted: Wanted): void {
  if (action.type === 'route') {
    const unready = action.to.find((id) => !isReady(slotOf(snapshot, id) ?? empty, 1))
    if (unready !== undefined || action.to.length === 0)
      throw broken(`the route may not go to ${unready ?? 'nothing'}: it is not ready`)
  }
  const routed = (slot: string) => snapshot.route.slots.includes(slot)
  if (action.type === 'remove-slot' && routed(action.slot))
    throw broken(`${action.slot} gets the traffic and may not be removed`)
  if (action.type === 'scale-slot' && action.replicas === 0 && routed(action.slot))
    throw broken(`${action.slot} gets the traffic and may not be emptied`)
  if (action.type === 'ensure-slot' && action.slot !== wanted.slot)
    throw broken(`${action.slot} is not what this run is after`)
}

const empty = { id: '', release: '', digest: '', replicas: 0, instances: [] }

function broken(what: string): KiwiError {
  return new KiwiError('INTERNAL', `a rollout decision was refused: ${what}`)
}

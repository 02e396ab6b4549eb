import type { SlotState, Snapshot } from '../contracts/v1/snapshot.js'
import { fold } from '../verdict/fold.js'
import { isReady, readyCount, slotOf, unrouted } from './read.js'
import type { Decision, Seen, Wanted } from './types.js'

/** A route that has not settled after this long will not: the slot behind it is gone, or nobody can tell. */
const settlesWithinMs = 30_000

/**
 * The new slot beside the old one → ready → the route moves at once → the old slot stays ready for an instant way back,
 * until the next release replaces it (Argo Rollouts' order, on any runtime that has slots and a route).
 */
export function blueGreen(wanted: Wanted, seen: Seen): Decision {
  const { snapshot, instruction } = seen
  if (instruction === 'revert') return goBack(wanted, seen)
  const slot = slotOf(snapshot, wanted.slot)
  if (!slot || slot.replicas !== wanted.replicas || slot.instances.length < wanted.replicas)
    return ensure(wanted, snapshot)
  if (snapshot.route.slots.includes(wanted.slot)) return settle(wanted, seen)
  return promote(wanted, seen, slot)
}

function ensure(wanted: Wanted, { revision }: Snapshot): Decision {
  const { slot, release, image, spec, replicas } = wanted
  return { type: 'act', action: { type: 'ensure-slot', revision, slot, release, image, spec, replicas } }
}

function promote(wanted: Wanted, { snapshot, instruction, unreadyMs }: Seen, slot: SlotState): Decision {
  const { revision, route } = snapshot
  const deadlineMs = wanted.readyWithinMs
  if (!isReady(slot, wanted.replicas)) {
    return fold(slot, { unreadyMs, deadlineMs }) ?? wait(`${slot.id} is ready`, slot, deadlineMs)
  }
  if (instruction === 'hold') return wait('someone promotes it', slot)
  return { type: 'act', action: { type: 'route', revision, from: route.slots, to: [slot.id] } }
}

/** The route is on the wanted slot: wait until all traffic is there, then keep only the slot it came from. */
function settle(wanted: Wanted, { snapshot, settlingMs }: Seen): Decision {
  const { revision, route } = snapshot
  const slot = slotOf(snapshot, wanted.slot)
  if (!route.settled) {
    const message = `not all traffic goes to ${wanted.slot}`
    const late = settlingMs >= settlesWithinMs
    return late
      ? { type: 'fail', code: 'ROLLOUT_DEADLINE', message, evidence: { slot: wanted.slot } }
      : wait('all traffic goes to it', slot)
  }
  const stale = unrouted(snapshot).find((other) => other.id !== wanted.slot && other.id !== wanted.replaces)
  if (stale) return { type: 'act', action: { type: 'remove-slot', revision, slot: stale.id } }
  return { type: 'done', route: route.slots, addresses: route.addresses }
}

/** Back to the slot that had the traffic, if it can take it; then the slot this release made goes. A slot that an earlier release made stays. */
function goBack(wanted: Wanted, { snapshot, goingBackMs }: Seen): Decision {
  const { revision, route } = snapshot
  const done: Decision = { type: 'done', route: route.slots, addresses: route.addresses }
  const slot = slotOf(snapshot, wanted.slot)
  if (route.slots.includes(wanted.slot)) {
    const back = unrouted(snapshot).find((other) => other.id === wanted.replaces && isReady(other, other.replicas))
    return back ? { type: 'act', action: { type: 'route', revision, from: route.slots, to: [back.id] } } : done
  }
  if (!route.settled && goingBackMs < settlesWithinMs) return wait('all traffic is back', slot)
  const made = slot?.release === wanted.release
  return made ? { type: 'act', action: { type: 'remove-slot', revision, slot: wanted.slot } } : done
}

function wait(what: string, slot: SlotState | undefined, deadlineMs?: number): Decision {
  const total = slot?.replicas ?? 0
  return {
    type: 'wait',
    for: what,
    ready: slot ? readyCount(slot) : 0,
    total,
    ...(deadlineMs !== undefined && { deadlineMs }),
  }
}

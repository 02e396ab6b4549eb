import type { SlotState } from '../contracts/v1/snapshot.js'
import { unsettled } from '../verdict/waiting.js'
import { ensure, routeTo, settlesWithinMs, wait } from './decisions.js'
import { goBack } from './go-back.js'
import { isOrdered, isReady, isRoutedTo, readyCount, slotOf } from './read.js'
import { awaitReady, order } from './ready.js'
import { settle } from './settle.js'
import { beforeSwitch } from './task.js'
import type { Decision, Seen, Wanted } from './types.js'

/**
 * The task → the new slot grows by one ready instance after the other (at most one more than wanted; old ones that are not ready do not
 * count) → it shares the route from its first ready instance on → the old slot shrinks by what is ready too many → the route is the new
 * slot's alone → the old slot stays without instances. Promoted before the first route to the new slot. Needs a route to several slots.
 */
export function rolling(wanted: Wanted, seen: Seen): Decision {
  const { snapshot, instruction } = seen
  if (instruction === 'revert') return goBack(wanted, seen, { exclusive: false, keep: 'empty' })
  const slot = slotOf(snapshot, wanted.slot)
  const begun = slot !== undefined && slot.replicas > 0
  const task = begun ? undefined : beforeSwitch(wanted, seen)
  if (task) return task
  if (isRoutedTo(snapshot, wanted.slot)) return settle(wanted, seen, 'empty')
  const others = serving(wanted, seen)
  return share(wanted, seen, slot, others) ?? shrink(wanted, seen, slot) ?? grow(wanted, seen, slot, others)
}

/** Routed slots besides the new one that can take requests. */
function serving(wanted: Wanted, { snapshot }: Seen): SlotState[] {
  const others = snapshot.slots.filter(({ id }) => id !== wanted.slot && snapshot.route.slots.includes(id))
  return others.filter((slot) => readyCount(slot) > 0)
}

/** Moves the route: to both from the first ready instance on, to the new slot alone as soon as it is whole. */
function share(
  wanted: Wanted,
  { snapshot, instruction, settlingMs }: Seen,
  slot: SlotState | undefined,
  others: readonly SlotState[],
): Decision | undefined {
  const routed = snapshot.route.slots.includes(wanted.slot)
  const whole = isReady(slot, wanted.replicas)
  if (whole || (!routed && others.length > 0 && readyCount(slot) > 0)) {
    if (!routed && instruction === 'hold') return wait('someone promotes it', slot)
    const to = [...(whole ? [] : others.map(({ id }) => id)), wanted.slot]
    return routeTo(snapshot, to)
  }
  if (!routed || snapshot.route.settled) return undefined
  return settlingMs >= settlesWithinMs ? unsettled(wanted.slot) : wait('traffic goes to it', slot)
}

/** Which instances are stopped is the runtime's choice: so many go that enough stay ready whichever it takes, and one while it is routed. */
function shrink(wanted: Wanted, { snapshot }: Seen, slot: SlotState | undefined): Decision | undefined {
  const { replaces } = wanted
  const old = replaces && replaces.slot !== wanted.slot ? slotOf(snapshot, replaces.slot) : undefined
  if (!replaces || !old || ![wanted.slot, old.id].every((id) => snapshot.route.slots.includes(id))) return undefined
  const surplus = readyCount(old) + readyCount(slot) - wanted.replicas
  const replicas = Math.max(1, old.replicas - surplus)
  return surplus > 0 && replicas < old.replicas ? ensure(snapshot, replaces, replicas) : undefined
}

function grow(wanted: Wanted, seen: Seen, slot: SlotState | undefined, others: readonly SlotState[]): Decision {
  const { snapshot } = seen
  const ordered = slot?.replicas ?? 0
  const complete = ordered === 0 || (isOrdered(slot, ordered) && isReady(slot, ordered))
  const old = others.reduce((sum, other) => sum + readyCount(other), 0)
  const most = Math.max(wanted.replicas, wanted.replaces?.replicas ?? 0) + 1 - old
  const next = others.length === 0 ? wanted.replicas : Math.min(wanted.replicas, ordered + 1, Math.max(1, most))
  if (complete && ordered < next) return ensure(snapshot, wanted, next)
  if (ordered > wanted.replicas) return ensure(snapshot, wanted, wanted.replicas)
  return isOrdered(slot, ordered) ? awaitReady(slot, wanted, seen) : order(slot, wanted, seen, ordered)
}

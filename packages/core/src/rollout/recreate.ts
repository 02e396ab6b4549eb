import type { SlotState } from '../contracts/v1/snapshot.js'
import { stuck, unsettled } from '../verdict/waiting.js'
import { ensure, removeSlot, routeTo, settlesWithinMs, wait } from './decisions.js'
import { goBack } from './go-back.js'
import { isOrdered, isReady, isRoutedTo, slotOf } from './read.js'
import { awaitReady, order } from './ready.js'
import { settle, staleSlots } from './settle.js'
import { beforeSwitch } from './task.js'
import type { Decision, Seen, Wanted } from './types.js'

/**
 * The route is closed → the old instances end → the task → the new slot → ready → the route: old and new never run at the same time, and
 * nobody is served meanwhile. The old slot stays without instances. Promoted before the route is closed; while it is closed nobody is waited for.
 */
export function recreate(wanted: Wanted, seen: Seen): Decision {
  const { snapshot, instruction } = seen
  if (instruction === 'revert') return goBack(wanted, seen, { exclusive: true, keep: 'empty' })
  const slot = slotOf(snapshot, wanted.slot)
  const { slots: routed } = snapshot.route
  if (isRoutedTo(snapshot, wanted.slot)) return settle(wanted, seen, 'empty')
  const closes = routed.some((id) => id !== wanted.slot)
  if (closes && instruction === 'hold') return wait('someone promotes it', slot)
  if (closes) return routeTo(snapshot, [])
  return cleared(wanted, seen) ?? start(wanted, seen, slot)
}

/** What must be gone before the first new instance starts. */
function cleared(wanted: Wanted, seen: Seen): Decision | undefined {
  const { snapshot, settlingMs, unchangedMs } = seen
  const { replaces } = wanted
  const old = replaces && replaces.slot !== wanted.slot ? slotOf(snapshot, replaces.slot) : undefined
  const [stale] = staleSlots(wanted, snapshot)
  if (stale !== undefined) return removeSlot(snapshot, stale)
  if (!replaces || !old || (old.replicas === 0 && old.instances.length === 0)) return undefined
  if (!snapshot.route.settled)
    return settlingMs >= settlesWithinMs ? unsettled('nothing') : wait('no traffic comes any more', old)
  if (old.replicas > 0) return ensure(snapshot, replaces, 0)
  const patienceMs = replaces.spec.stopGraceMs + settlesWithinMs
  return unchangedMs >= patienceMs ? stuck(`${old.id} still stops`) : wait(`the instances of ${old.id} are gone`, old)
}

function start(wanted: Wanted, seen: Seen, slot: SlotState | undefined): Decision {
  const { snapshot, instruction } = seen
  const begun = slot !== undefined && slot.replicas > 0
  const task = begun ? undefined : beforeSwitch(wanted, seen)
  if (task) return task
  if (!isOrdered(slot, wanted.replicas)) return order(slot, wanted, seen)
  if (!isReady(slot, wanted.replicas)) return awaitReady(slot, wanted, seen)
  if (instruction === 'hold' && wanted.replaces === undefined) return wait('someone promotes it', slot)
  return routeTo(snapshot, [wanted.slot])
}

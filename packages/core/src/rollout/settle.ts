import type { Snapshot } from '../contracts/v1/snapshot.js'
import { lost } from '../verdict/fold.js'
import { unsettled } from '../verdict/waiting.js'
import { done, ensure, removeSlot, settlesWithinMs, wait } from './decisions.js'
import { isOrdered, isReady, readyCount, slotOf } from './read.js'
import { awaitReady, order } from './ready.js'
import type { Decision, Seen, Wanted } from './types.js'

/**
 * The route is on the wanted slot alone: all traffic must get there and the slot must stay ready; then the slot it came from is kept as the
 * strategy says (`ready`, or `empty`: ordered with no instances), and older ones go.
 */
export function settle(wanted: Wanted, seen: Seen, keep: 'ready' | 'empty'): Decision {
  const { snapshot, settlingMs } = seen
  const { replaces } = wanted
  const slot = slotOf(snapshot, wanted.slot)
  const old = replaces && replaces.slot !== wanted.slot ? slotOf(snapshot, replaces.slot) : undefined
  if (readyCount(slot) === 0 && readyCount(old) > 0) return lost(slot, wanted, seen)
  if (!isOrdered(slot, wanted.replicas)) return order(slot, wanted, seen)
  if (!snapshot.route.settled)
    return settlingMs >= settlesWithinMs ? unsettled(wanted.slot) : wait('all traffic goes to it', slot)
  if (!isReady(slot, wanted.replicas)) return awaitReady(slot, wanted, seen)
  if (keep === 'empty' && replaces && old && old.replicas > 0) return ensure(snapshot, replaces, 0)
  const [stale] = staleSlots(wanted, snapshot)
  return stale === undefined ? done(snapshot) : removeSlot(snapshot, stale)
}

/** What neither this release nor the one it replaces needs, by slots and by tasks whose slot is not there any more. */
export function staleSlots({ slot, replaces }: Wanted, { slots, tasks, route }: Snapshot): string[] {
  const needed = [slot, replaces?.slot, ...route.slots]
  const ids = [...slots.map(({ id }) => id), ...tasks.map((task) => task.slot)]
  return [...new Set(ids)].filter((id) => !needed.includes(id))
}

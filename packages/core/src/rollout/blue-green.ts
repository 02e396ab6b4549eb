import { routeTo, wait } from './decisions.js'
import { goBack } from './go-back.js'
import { isOrdered, isReady, isRoutedTo, slotOf } from './read.js'
import { awaitReady, order } from './ready.js'
import { settle } from './settle.js'
import { beforeSwitch } from './task.js'
import type { Decision, Seen, Wanted } from './types.js'

/**
 * The new slot beside the old one → ready → the task → the route moves at once → the old slot stays ready for an instant way back,
 * until the next release replaces it (Argo Rollouts' order, on any runtime that has slots and a route).
 * Promoted before the task and before the route.
 */
export function blueGreen(wanted: Wanted, seen: Seen): Decision {
  const { snapshot, instruction } = seen
  if (instruction === 'revert') return goBack(wanted, seen, { exclusive: false, keep: 'ready' })
  const slot = slotOf(snapshot, wanted.slot)
  if (isRoutedTo(snapshot, wanted.slot)) return settle(wanted, seen, 'ready')
  if (!isOrdered(slot, wanted.replicas)) return order(slot, wanted, seen)
  if (!isReady(slot, wanted.replicas)) return awaitReady(slot, wanted, seen)
  const task = snapshot.route.slots.includes(wanted.slot) ? undefined : beforeSwitch(wanted, seen)
  if (task && task.type !== 'act') return task
  if (instruction === 'hold') return wait('someone promotes it', slot)
  return task ?? routeTo(snapshot, [wanted.slot])
}

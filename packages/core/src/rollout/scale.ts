import { notRouted, toNothing } from '../verdict/waiting.js'
import { done, wait } from './decisions.js'
import { restore } from './go-back.js'
import { isOrdered, isReady, slotOf } from './read.js'
import { awaitReady, order } from './ready.js'
import type { Decision, Seen, Wanted } from './types.js'

/** The routed slot gets more instances, or fewer, and the route stays; only ready ones count. Promoted before it is ordered. */
export function scale(wanted: Wanted, seen: Seen): Decision {
  const { snapshot, instruction } = seen
  if (instruction === 'revert') return wanted.replaces ? restore(wanted, wanted.replaces, seen) : done(snapshot)
  if (wanted.replicas < 1) return toNothing(wanted.slot)
  if (!snapshot.route.slots.includes(wanted.slot)) return notRouted(wanted.slot)
  const slot = slotOf(snapshot, wanted.slot)
  if (!isOrdered(slot, wanted.replicas)) {
    if (slot?.replicas !== wanted.replicas && instruction === 'hold') return wait('someone promotes it', slot)
    return order(slot, wanted, seen)
  }
  return isReady(slot, wanted.replicas) ? done(snapshot) : awaitReady(slot, wanted, seen)
}

import type { SlotState, Snapshot } from '../contracts/v1/snapshot.js'
import { done, ensure, removeSlot, routeTo, settlesWithinMs, wait } from './decisions.js'
import { isOrdered, isReady, isRoutedTo, readyCount, slotOf } from './read.js'
import { taskOf } from './task.js'
import type { Decision, Seen, SlotWanted, Wanted } from './types.js'

export interface WayBack {
  /** Old and new instances must not run at the same time. */
  readonly exclusive: boolean
  /** What becomes of a wanted slot that an earlier release made. */
  readonly keep: 'ready' | 'empty'
}

/**
 * Back to the slot that had the traffic: it is made whole, the route moves when it is ready, then the slot that this release made goes.
 * What serves stays where the old slot cannot be had within its time; what this release made for a first deployment goes unless it serves.
 */
export function goBack(wanted: Wanted, seen: Seen, way: WayBack): Decision {
  const { replaces } = wanted
  if (replaces === undefined) return undo(wanted, seen, way)
  if (replaces.slot === wanted.slot) return rescue(wanted, seen.snapshot) ?? restore(wanted, replaces, seen)
  return isRoutedTo(seen.snapshot, replaces.slot)
    ? settleBack(wanted, replaces, seen, way)
    : bringBack(wanted, replaces, seen, way)
}

/** There is nothing to go back to. */
function undo(wanted: Wanted, seen: Seen, way: WayBack): Decision {
  const { snapshot } = seen
  if (!snapshot.route.slots.includes(wanted.slot)) return leave(wanted, seen, way)
  return done(snapshot, `${wanted.slot} keeps the traffic: there is no release before it`)
}

/** The slot itself had the traffic, perhaps with another number of instances. */
export function restore(wanted: Wanted, old: SlotWanted, seen: Seen): Decision {
  const { snapshot } = seen
  const slot = slotOf(snapshot, old.slot)
  const routed = snapshot.route.slots.includes(old.slot)
  if (!routed || (slot?.replicas === old.replicas && isReady(slot, old.replicas))) return done(snapshot)
  return makeWhole(wanted, old, old.replicas, seen) ?? done(snapshot, missed(old))
}

function bringBack(wanted: Wanted, old: SlotWanted, seen: Seen, way: WayBack): Decision {
  const { snapshot } = seen
  const slot = slotOf(snapshot, old.slot)
  const cleared = way.exclusive ? clear(wanted, seen) : undefined
  if (cleared) return cleared
  if (isReady(slot, old.replicas)) return routeTo(snapshot, [old.slot])
  const waiting = makeWhole(wanted, old, atLeast(old, slot), seen)
  if (waiting) return waiting
  const others = snapshot.route.slots.filter((id) => id !== old.slot)
  const serving = others.reduce((sum, id) => sum + readyCount(slotOf(snapshot, id)), 0)
  if (readyCount(slot) > 0 && readyCount(slot) >= serving) return routeTo(snapshot, [old.slot])
  return rescue(wanted, snapshot) ?? done(snapshot, missed(old))
}

/** Orders the old slot and waits for it; `undefined` when its time is over, or when nothing that is ordered is carried out. */
function makeWhole(wanted: Wanted, old: SlotWanted, replicas: number, seen: Seen): Decision | undefined {
  const { snapshot, goingBackMs, broughtMs } = seen
  const slot = slotOf(snapshot, old.slot)
  const { readyWithinMs } = wanted
  if (goingBackMs >= clearedWithinMs(wanted) + carriedOutWithinMs + readyWithinMs) return undefined
  if (!isOrdered(slot, replicas)) return ensure(snapshot, old, replicas)
  return broughtMs >= readyWithinMs
    ? undefined
    : wait(`${old.slot} is ready again`, slot, { deadlineMs: readyWithinMs })
}

/** What others added meanwhile is not taken away here. */
function atLeast({ replicas }: SlotWanted, slot: SlotState | undefined): number {
  return Math.max(replicas, slot?.replicas ?? 0)
}

/** An order that is not seen to be carried out after so long will not be. */
const carriedOutWithinMs = 60_000

function clearedWithinMs({ spec }: Wanted): number {
  return spec.stopGraceMs + carriedOutWithinMs
}

/** Takes the new instances away before old ones start. */
function clear(wanted: Wanted, { snapshot, goingBackMs }: Seen): Decision | undefined {
  const slot = slotOf(snapshot, wanted.slot)
  if (goingBackMs >= clearedWithinMs(wanted) || !slot || (slot.replicas === 0 && slot.instances.length === 0))
    return undefined
  if (snapshot.route.slots.includes(slot.id)) return routeTo(snapshot, [])
  if (slot.replicas > 0) return ensure(snapshot, wanted, 0)
  return wait(`the instances of ${slot.id} are gone`, slot)
}

/** The route is on the old slot alone: nothing is taken away before it serves as it did. */
function settleBack(wanted: Wanted, old: SlotWanted, seen: Seen, way: WayBack): Decision {
  const { snapshot, settlingMs } = seen
  const slot = slotOf(snapshot, old.slot)
  const whole = isReady(slot, atLeast(old, slot))
  const waiting = whole ? undefined : makeWhole(wanted, old, atLeast(old, slot), seen)
  if (waiting) return waiting
  if (readyCount(slot) === 0) return rescue(wanted, snapshot) ?? done(snapshot, missed(old))
  if (!snapshot.route.settled && settlingMs < settlesWithinMs) return wait('all traffic is back', slot)
  return leave(wanted, seen, way)
}

/** Better the new release than none: taken when the old one could not be had and nothing else serves. */
function rescue({ slot: id }: Wanted, snapshot: Snapshot): Decision | undefined {
  const serving = snapshot.route.slots.some((slot) => readyCount(slotOf(snapshot, slot)) > 0)
  return !serving && readyCount(slotOf(snapshot, id)) > 0 ? routeTo(snapshot, [id]) : undefined
}

/** What this release made goes, with its task; what an earlier one made stays, as its strategy keeps it. */
function leave(wanted: Wanted, seen: Seen, { keep }: WayBack): Decision {
  const { snapshot } = seen
  const slot = slotOf(snapshot, wanted.slot)
  const made = slot ? slot.release === wanted.release : taskOf(snapshot, wanted) !== undefined
  if (made) return removeSlot(snapshot, wanted.slot)
  if (keep === 'empty' && slot && slot.replicas > 0) return ensure(snapshot, wanted, 0)
  return done(snapshot)
}

function missed({ slot, replicas }: SlotWanted): string {
  return `${slot} could not be brought back with ${replicas} ready instances; the traffic stays where it is`
}

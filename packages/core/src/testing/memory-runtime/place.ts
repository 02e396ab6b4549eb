import { isDeepStrictEqual } from 'node:util'
import type { Action, EnsureSlot, InstanceSpec, RunOnce } from '../../contracts/v1/actions.js'
import type { Adoptable } from '../../contracts/v1/runtime.js'
import { KiwiError } from '../../errors/kiwi-error.js'

/** One target: what was ordered of it, and when. What is seen of it follows from that and the time. */
export interface Place {
  revision: number
  fence: number
  claimed: boolean
  slots: Slot[]
  tasks: Task[]
  route: readonly string[]
  routedAt: number
  /** Slots that the route has left, and when. */
  left: { readonly slot: string; readonly at: number }[]
  /** What others made, by selector. */
  readonly foreign: Map<string, Adoptable>
  /** Settled at the next change; then there is another one. */
  changed: PromiseWithResolvers<void>
}

export interface Slot {
  readonly id: string
  readonly release: string
  readonly digest: string
  readonly spec: InstanceSpec
  readonly replicas: number
  readonly instances: readonly Instance[]
  /** Gives the next instance its name. */
  readonly made: number
  readonly removed: boolean
}

export interface Instance {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly madeAt: number
  readonly stoppedAt?: number | undefined
}

export interface Task {
  readonly id: string
  readonly slot: string
  readonly madeAt: number
  readonly action: RunOnce
  /** The variables it was given, secrets resolved. */
  readonly env: Readonly<Record<string, string>>
}

export function newPlace(): Place {
  return {
    revision: 0,
    fence: 0,
    claimed: false,
    slots: [],
    tasks: [],
    route: [],
    routedAt: 0,
    left: [],
    foreign: new Map(),
    changed: Promise.withResolvers(),
  }
}

/** Something was ordered: observers look again. */
export function touch(place: Place, { ordered = true } = {}): void {
  if (ordered) place.revision += 1
  place.changed.resolve()
  place.changed = Promise.withResolvers()
}

/** Carries out what was accepted; answers whether anything that is ordered has changed. */
export function apply(place: Place, action: Action, now: number, env: Readonly<Record<string, string>>): boolean {
  if (action.type === 'ensure-slot') return ensure(place, action, now)
  if (action.type === 'run-once') return runOnce(place, action, now, env)
  if (action.type === 'route') return route(place, action.from, action.to, now)
  if (action.type === 'remove-slot') return removeSlot(place, action.slot, now)
  return removeTarget(place)
}

function ensure(place: Place, { slot: id, release, image, spec, replicas }: EnsureSlot, now: number): boolean {
  const same = place.slots.find((slot) => slot.id === id)
  const there = same?.removed ? undefined : same
  if (there && (there.digest !== image.digest || !isDeepStrictEqual(plain(there.spec), plain(spec))))
    throw new KiwiError('INTERNAL', `${id} is there already and was ordered with another image or spec`)
  const { instances, made } = same ?? { instances: [], made: 0 }
  const before = there ?? { id, release, digest: image.digest, spec, replicas: 0, instances, made, removed: false }
  const running = before.instances.filter(({ stoppedAt }) => stoppedAt === undefined)
  if (there && before.replicas === replicas && running.length === replicas) return false
  const missing = Math.max(0, replicas - running.length)
  const added = Array.from({ length: missing }, (_, index) => ({ id: `${id}-${before.made + index}`, madeAt: now }))
  const surplus = new Set(running.slice(replicas))
  const kept = before.instances.map((one) => (surplus.has(one) ? { ...one, stoppedAt: now } : one))
  const slot = { ...before, replicas, instances: [...kept, ...added], made: before.made + missing }
  place.slots = same ? place.slots.map((one) => (one === same ? slot : one)) : [...place.slots, slot]
  return true
}

function runOnce(place: Place, action: RunOnce, now: number, env: Readonly<Record<string, string>>): boolean {
  if (place.tasks.some(({ id }) => id === action.task)) return false
  place.tasks = [...place.tasks, { id: action.task, slot: action.slot, madeAt: now, action, env }]
  return true
}

function route(place: Place, from: readonly string[], to: readonly string[], now: number): boolean {
  if (!sameSet(from, place.route))
    throw new KiwiError('CONFLICT', `the route is on [${place.route.join(', ')}], not on [${from.join(', ')}]`)
  const missing = to.find((id) => !place.slots.some((slot) => slot.id === id && !slot.removed))
  if (missing !== undefined) throw refused(`there is no slot ${missing}`)
  if (sameSet(to, place.route)) return false
  const left = place.route.filter((slot) => !to.includes(slot)).map((slot) => ({ slot, at: now }))
  place.left = [...place.left.filter(({ slot }) => !to.includes(slot)), ...left]
  place.route = [...to]
  place.routedAt = now
  return true
}

function removeSlot(place: Place, id: string, now: number): boolean {
  if (place.route.includes(id)) throw refused(`${id} gets the traffic`)
  const is = (slot: Slot) => slot.id === id && !slot.removed
  const changed = place.slots.some(is) || place.tasks.some(({ slot }) => slot === id)
  const stopped = (slot: Slot) => slot.instances.map((one) => ({ ...one, stoppedAt: one.stoppedAt ?? now }))
  place.slots = place.slots.map((slot) => (is(slot) ? { ...slot, removed: true, instances: stopped(slot) } : slot))
  place.tasks = place.tasks.filter(({ slot }) => slot !== id)
  return changed
}

function removeTarget(place: Place): boolean {
  const slot = place.slots.at(-1)
  if (slot) throw refused(`there is a slot ${slot.id}`)
  const { revision, foreign, changed } = place
  Object.assign(place, { ...newPlace(), revision, foreign, changed })
  return true
}

function refused(why: string): KiwiError {
  return new KiwiError('RUNTIME_FAILED', `the order was refused: ${why}`, { retryable: false })
}

function plain(spec: InstanceSpec): unknown {
  return JSON.parse(JSON.stringify(spec))
}

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((id) => other.includes(id))
}

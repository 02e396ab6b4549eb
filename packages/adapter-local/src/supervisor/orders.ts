import { KiwiError } from '@kiwi/core'
import type { OrderedAction, OrderedSlot } from './api.js'
import type { Front, SlotOrder, State } from './state.js'

/** The state after a claim. Throws `FENCED` when a newer token is there. */
export function claimed(state: State, token: number, front: Front): State {
  refuseOlder(state, token)
  const same = token === state.fence && JSON.stringify(front) === JSON.stringify(state.front)
  return same ? state : { ...state, fence: token, front, revision: state.revision + 1 }
}

/**
 * The state that an action asks for; the same object when it is there already.
 * `stranded` slots are known, but not how to start them: an earlier supervisor took that with it.
 * Throws `FENCED`, `CONFLICT`, or `RUNTIME_FAILED` for what can never be done; nothing has happened then.
 */
export function ordered(
  state: State,
  action: OrderedAction,
  token: number,
  stranded: ReadonlySet<string> = new Set(),
): State {
  refuseOlder(state, token)
  if (action.revision !== String(state.revision))
    throw new KiwiError('CONFLICT', `the environment is at revision ${state.revision}, not ${action.revision}`)
  const changed = change(state, action, stranded)
  if (changed === state && token === state.fence) return state
  return { ...changed, fence: token, revision: state.revision + (changed === state ? 0 : 1) }
}

/** Throws `FENCED` when the token is not the newest. */
export function refuseOlder(state: State, token: number): void {
  if (token < state.fence)
    throw new KiwiError('FENCED', `token ${token} is older than ${state.fence}, which owns this environment`)
}

function change(state: State, action: OrderedAction, stranded: ReadonlySet<string>): State {
  switch (action.type) {
    case 'ensure-slot':
      return ensureSlot(state, action, stranded)
    case 'scale-slot':
      return scaleSlot(state, action.slot, action.replicas)
    case 'route':
      return route(state, action.from, action.to)
    case 'remove-slot':
      return removeSlot(state, action.slot)
  }
}

function ensureSlot(state: State, action: OrderedSlot, stranded: ReadonlySet<string>): State {
  const known = state.slots.find((slot) => slot.id === action.slot)
  const same = known?.fingerprint === action.fingerprint
  if (same && !stranded.has(known.id)) return scaleSlot(state, action.slot, action.replicas)
  if (known !== undefined && !same && state.route.includes(known.id))
    throw refused(`slot ${known.id} carries traffic with another spec; use another slot`)
  return { ...state, slots: [...state.slots.filter((slot) => slot !== known), orderOf(action)] }
}

function orderOf(action: OrderedSlot): SlotOrder {
  const { slot: id, release, digest, fingerprint, replicas, health, stopGraceMs } = action
  return { id, release, digest, fingerprint, replicas, health, stopGraceMs, root: action.launch.root }
}

function scaleSlot(state: State, id: string, replicas: number): State {
  const known = knownSlot(state, id)
  if (known.replicas === replicas) return state
  return { ...state, slots: state.slots.map((slot) => (slot === known ? { ...slot, replicas } : slot)) }
}

function route(state: State, from: readonly string[], to: readonly string[]): State {
  if (!sameSet(from, state.route))
    throw new KiwiError('CONFLICT', `the route is on [${state.route.join(', ')}], not on [${from.join(', ')}]`)
  for (const id of to) knownSlot(state, id)
  return sameSet(to, state.route) ? state : { ...state, route: [...new Set(to)] }
}

function removeSlot(state: State, id: string): State {
  if (state.route.includes(id)) throw refused(`slot ${id} carries traffic; route it elsewhere before it is removed`)
  const slots = state.slots.filter((slot) => slot.id !== id)
  return slots.length === state.slots.length ? state : { ...state, slots }
}

function knownSlot(state: State, id: string): SlotOrder {
  const known = state.slots.find((slot) => slot.id === id)
  if (known === undefined) throw refused(`there is no slot ${id}`)
  return known
}

function refused(message: string): KiwiError {
  return new KiwiError('RUNTIME_FAILED', message, { retryable: false })
}

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  return new Set(one).size === new Set(other).size && one.every((id) => other.includes(id))
}

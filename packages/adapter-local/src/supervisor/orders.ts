import { KiwiError } from '@kiwi/core'
import type { Launch, OrderedAction, OrderedSlot, OrderedTask } from './api.js'
import { emptyState, type Front, type SlotOrder, type State, type TaskOrder } from './state.js'

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
  refuse(state, action, token)
  if (action.type === 'remove-target') return removeTarget(state)
  const changed = change(state, action, stranded)
  if (changed === state && token === state.fence) return state
  return { ...changed, fence: token, revision: state.revision + (changed === state ? 0 : 1) }
}

/** Whether the action can be carried out only by someone who knows how to start what it orders. Throws as `ordered` does. */
export function needsLaunch(
  state: State,
  action: OrderedAction,
  token: number,
  stranded: ReadonlySet<string> = new Set(),
): boolean {
  refuse(state, action, token)
  if (action.type === 'run-once') return !state.tasks.some(({ id }) => id === action.task)
  return action.type === 'ensure-slot' && !isScaling(state, action, stranded)
}

function refuse(state: State, { revision }: OrderedAction, token: number): void {
  refuseOlder(state, token)
  if (revision !== String(state.revision))
    throw new KiwiError('CONFLICT', `the environment is at revision ${state.revision}, not ${revision}`)
}

/** Throws `FENCED` when the token is not the newest. */
export function refuseOlder(state: State, token: number): void {
  if (token < state.fence)
    throw new KiwiError('FENCED', `token ${token} is older than ${state.fence}, which owns this environment`)
}

function change(
  state: State,
  action: Exclude<OrderedAction, { readonly type: 'remove-target' }>,
  stranded: ReadonlySet<string>,
): State {
  switch (action.type) {
    case 'ensure-slot':
      return ensureSlot(state, action, stranded)
    case 'route':
      return route(state, action.from, action.to)
    case 'run-once':
      return runOnce(state, action)
    case 'remove-slot':
      return removeSlot(state, action.slot)
    default: // a supervisor may live longer than the version of Kiwi that started it
      action satisfies never
      throw refused('the supervisor that runs here is of another version of Kiwi, and does not know this order')
  }
}

function ensureSlot(state: State, action: OrderedSlot, stranded: ReadonlySet<string>): State {
  if (isScaling(state, action, stranded)) return scaleSlot(state, action.slot, action.replicas)
  const known = state.slots.find((slot) => slot.id === action.slot)
  if (known !== undefined && known.fingerprint !== action.fingerprint && state.route.includes(known.id))
    throw refused(`slot ${known.id} carries traffic with another spec; use another slot`)
  return { ...state, slots: [...state.slots.filter((slot) => slot !== known), orderOf(action)] }
}

/** The slot is there, as it is ordered but for the number of its instances; it is known how to start them, or there are to be none. */
function isScaling({ slots }: State, action: OrderedSlot, stranded: ReadonlySet<string>): boolean {
  const known = slots.find((slot) => slot.id === action.slot)
  if (known?.fingerprint !== action.fingerprint) return false
  return action.replicas === 0 || !stranded.has(action.slot)
}

function orderOf(action: OrderedSlot): SlotOrder {
  const { slot: id, release, digest, fingerprint, replicas, health, stopGraceMs } = action
  return { id, release, digest, fingerprint, replicas, health, stopGraceMs, root: needed(action.launch).root }
}

function runOnce(state: State, { task: id, slot, stopGraceMs, launch }: OrderedTask): State {
  if (state.tasks.some((task) => task.id === id)) return state
  const order: TaskOrder = { id, slot, stopGraceMs, root: needed(launch).root }
  return { ...state, tasks: [...state.tasks, order] }
}

function needed(launch: Launch | undefined): Launch {
  if (launch === undefined) throw new KiwiError('INTERNAL', 'the order came without a launch')
  return launch
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
  const tasks = state.tasks.filter(({ slot }) => slot !== id)
  const same = slots.length === state.slots.length && tasks.length === state.tasks.length
  return same ? state : { ...state, slots, tasks }
}

/** As before the first claim; only the revision goes on, so that nothing decided earlier fits by chance. */
function removeTarget(state: State): State {
  const [slot] = state.slots
  if (slot !== undefined) throw refused(`slot ${slot.id} is still there; remove it before the target`)
  const task = state.tasks.find(({ outcome }) => outcome === undefined)
  if (task !== undefined) throw refused(`task ${task.id} still runs; remove its slot ${task.slot} before the target`)
  const blank = state.fence === 0 && state.front === undefined
  return blank ? state : { ...emptyState, revision: state.revision + 1 }
}

function knownSlot(state: State, id: string): SlotOrder {
  const known = state.slots.find((slot) => slot.id === id)
  if (known === undefined) throw refused(`there is no slot ${id}`)
  return known
}

/** For the removal of a target whose last instances and tasks still end: it can be had in a moment. */
export function stillStopping(): KiwiError {
  return new KiwiError('RUNTIME_FAILED', 'what was removed still stops; the target can be removed after it', {
    retryable: true,
  })
}

function refused(message: string): KiwiError {
  return new KiwiError('RUNTIME_FAILED', message, { retryable: false })
}

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  return new Set(one).size === new Set(other).size && one.every((id) => other.includes(id))
}

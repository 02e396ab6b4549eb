import type { Action } from '../../contracts/v1/actions.js'
import type { SlotState, Snapshot } from '../../contracts/v1/snapshot.js'
import type { Decision, Seen } from '../types.js'
import type { End } from './driver.js'
import { readyWithinMs, type Scenario, taskWithinMs } from './scenario.js'

/** Keeps its own account of who serves and what was promised; knows nothing of how decisions are made. Throws at the first broken promise. */
export interface Oracle {
  decided(decision: Decision, seen: Seen): void
  /** The runtime has carried it out. */
  wrote(action: Action): void
  /** Called after every step of time. */
  passed(snapshot: Snapshot, milliseconds: number): void
  ended(end: End): void
}

/** Somebody could serve and nobody does: longer than a wait for the old slot, the task and the settling take together is nobody's plan. */
const needlessMs = readyWithinMs + taskWithinMs + 45_000

export function oracleOf(scenario: Scenario, initial: Snapshot): Oracle {
  const { procedure, wanted, kind, faults, commands, keeps } = scenario
  const old = wanted.replaces
  const calm = faults.deaths === 0 && faults.foreign === 0
  const opens = procedure === 'recreate' || procedure === 'remove'
  const moves = !opens && procedure !== 'scale'
  const servedAtFirst = readyRouted(initial)
  const whole = old !== undefined && ready(slotOf(initial, old.slot)) >= old.replicas
  const inPlace = kind === 'scale' || kind === 'same'
  const bad = scenario.fate !== 'good' && scenario.fate !== 'slow'
  const strict = calm && whole && scenario.fate !== 'flaky' && !(inPlace && bad)
  let outageMs = 0
  let last: { readonly seen: Seen } | undefined
  let backSince: number | undefined
  let taskOrders = 0
  let migrated = false
  let now = 0

  const isLate = () => backSince !== undefined && now - backSince >= readyWithinMs - 5_000 // the turn may have been a look earlier

  function routed({ to, from }: Extract<Action, { type: 'route' }>, { snapshot, instruction }: Seen): void {
    const forward = instruction !== 'revert'
    const [before, after] = [readyRouted(snapshot), sum(to, snapshot)]
    for (const id of to) check(ready(slotOf(snapshot, id)) > 0, `routed to ${id}, which has nothing ready`)
    if (to.length === 0) {
      check(opens, `${procedure} closed the route`)
      return
    }
    check(procedure !== 'scale', 'scale moved the route')
    const toNew = to.includes(wanted.slot) && !from.includes(wanted.slot)
    if (toNew && forward && wanted.beforeSwitch) check(migrated, 'the new slot got traffic before the task succeeded')
    if (toNew && forward && instruction === 'hold') check(opens && kind !== 'first', 'routed while it was held')
    if (forward && procedure === 'blue-green')
      check(after >= wanted.replicas, `routed with ${after} of ${wanted.replicas} ready`)
    const enough = forward ? wanted.replicas : Math.min(wanted.replicas, old?.replicas ?? 0)
    if (procedure === 'rolling' && !isLate())
      check(after >= Math.min(before, enough), `rolling went from ${before} to ${after} ready`)
    if (!forward && old && !isLate() && to.includes(old.slot) && old.slot !== wanted.slot && procedure !== 'remove')
      check(after >= old.replicas, `went back with ${after} of ${old.replicas} ready`)
  }

  function ensured({ slot, replicas }: Extract<Action, { type: 'ensure-slot' }>, { snapshot }: Seen): void {
    const known = slotOf(snapshot, slot)
    check(slot === wanted.slot || slot === old?.slot, `${slot} is none of its business`)
    check(procedure !== 'scale' || replicas > 0, 'scaled to nothing')
    const fewer = (known?.replicas ?? 0) - replicas
    if (fewer <= 0 || !known) return
    const carries = snapshot.route.slots.includes(slot)
    check(replicas > 0 || !carries, `${slot} was emptied with the traffic on it`)
    if (replicas === 0) notTheOnlyOne(slot, snapshot)
    if (!carries || procedure !== 'rolling' || slot === wanted.slot) return
    const left = readyRouted(snapshot) - Math.min(fewer, ready(known))
    check(left >= Math.min(readyRouted(snapshot), wanted.replicas), `rolling left ${left} of ${wanted.replicas} ready`)
  }

  function notTheOnlyOne(slot: string, snapshot: Snapshot): void {
    const others = snapshot.slots.filter(({ id }) => id !== slot)
    const only = ready(slotOf(snapshot, slot)) > 0 && others.every((one) => ready(one) === 0)
    check(opens || !only || kind === 'first', `${slot} was the only healthy copy`)
  }

  function ran({ slot }: Extract<Action, { type: 'run-once' }>, { snapshot, instruction }: Seen): void {
    check(wanted.beforeSwitch !== undefined && slot === wanted.slot, 'a task was run that nobody wanted')
    check(instruction !== 'revert', 'a task was run on the way back')
    check(!migrated || !keeps, 'the task was run again after it had succeeded')
    const begun = (slotOf(snapshot, wanted.slot)?.instances.length ?? 0) > 0
    if (procedure === 'blue-green') check(instruction !== 'hold', 'the task was run while it was held')
    else check(!begun || !keeps, 'the task was run after new instances were started')
  }

  function exclusive(snapshot: Snapshot): void {
    if (procedure !== 'recreate' || !old || old.slot === wanted.slot || isLate() || !calm) return
    const fresh = !initial.slots.some(({ id, instances }) => id === wanted.slot && instances.length > 0)
    const both = [wanted.slot, old.slot].every((id) => (slotOf(snapshot, id)?.instances.length ?? 0) > 0)
    check(!fresh || !both, 'old and new instances ran at the same time')
  }

  function available(snapshot: Snapshot, milliseconds: number): void {
    const serving = readyRouted(snapshot)
    const held = last?.seen.instruction === 'hold'
    const somebody = snapshot.slots.some(
      (slot) => ready(slot) > 0 && (slot.id === wanted.slot || slot.id === old?.slot),
    )
    outageMs = serving === 0 && somebody && !held ? outageMs + milliseconds : 0
    const timed = keeps || faults.crashes === 0 // else the deadlines of the way back begin anew
    if (moves && timed && kind !== 'first')
      check(outageMs < needlessMs, `nobody served for ${outageMs} ms although somebody could`)
    if (!strict || !moves || old?.slot === wanted.slot) return
    const promised = Math.min(
      servedAtFirst,
      procedure === 'rolling' || last?.seen.instruction !== 'revert' ? wanted.replicas : 1,
    )
    check(serving >= promised, `${serving} ready instances served where ${promised} were promised`)
  }

  function succeeded({ short }: Extract<Decision, { type: 'done' }>, { snapshot, instruction }: Seen): void {
    check(instruction !== 'revert' && short === undefined, 'a success that is none')
    const slot = slotOf(snapshot, wanted.slot)
    if (procedure === 'remove') {
      check(snapshot.slots.length + snapshot.route.slots.length + snapshot.fence === 0, 'something is left')
      return
    }
    check(
      ready(slot) >= wanted.replicas && slot?.replicas === wanted.replicas,
      'a success without the instances that were wanted',
    )
    if (procedure === 'scale') {
      check(snapshot.route.slots.includes(wanted.slot), 'scaled what is not routed')
      return
    }
    check(snapshot.route.slots.join() === wanted.slot, `a success with the route on [${snapshot.route.slots.join()}]`)
    check(snapshot.route.settled, 'a success before the traffic was there')
    const strangers = snapshot.slots.filter(({ id }) => id !== wanted.slot && id !== old?.slot)
    check(strangers.length === 0, `${strangers[0]?.id} was left`)
    if (wanted.beforeSwitch && calm) check(taskOrders > 0, 'the task was never run')
    if (!old || old.slot === wanted.slot) return
    const kept = slotOf(snapshot, old.slot)
    if (procedure !== 'blue-green') {
      check((kept?.replicas ?? 0) === 0, 'the old slot still has instances')
      return
    }
    if (calm) check(kept?.replicas === old.replicas, 'the old slot was not kept')
  }

  function failed({ short }: Extract<Decision, { type: 'done' }>, { snapshot }: Seen): void {
    const serving = readyRouted(snapshot)
    const able = [wanted.slot, old?.slot].some((id) => ready(slotOf(snapshot, id ?? '')) > 0)
    if (kind !== 'first' && moves) check(serving > 0 || !able, 'it ended with nobody serving although somebody could')
    if (serving === 0 && old && snapshot.slots.length > 0 && kind !== 'scale' && kind !== 'same' && kind !== 'remove')
      check(short !== undefined, 'it ended with nobody serving and does not say so')
    if (!strict || procedure === 'remove') return
    check(snapshot.route.slots.join() === old?.slot, `it went back to [${snapshot.route.slots.join()}]`)
    check(ready(slotOf(snapshot, old?.slot ?? '')) >= (old?.replicas ?? 0), 'what it went back to is not what it was')
    const own = slotOf(snapshot, wanted.slot)
    if (own && own.id !== old?.slot) check(own.release !== wanted.release, 'what failed was left')
  }

  return {
    decided(decision, seen) {
      last = { seen }
      migrated ||= seen.snapshot.tasks.some(({ phase }) => phase === 'succeeded')
      if (seen.instruction === 'revert') backSince ??= now
      if (decision.type !== 'act') return
      const { action } = decision
      if (action.type === 'route') routed(action, seen)
      if (action.type === 'ensure-slot') ensured(action, seen)
      if (action.type === 'run-once') ran(action, seen)
      if (action.type === 'remove-target') check(procedure === 'remove', 'the target was removed')
      if (action.type !== 'remove-slot') return
      check(!seen.snapshot.route.slots.includes(action.slot), `${action.slot} was removed with the traffic on it`)
      check(procedure !== 'scale', 'scale removed a slot')
      check(procedure === 'remove' || action.slot !== old?.slot, 'the way back was removed')
      notTheOnlyOne(action.slot, seen.snapshot)
    },
    wrote(action) {
      if (action.type === 'run-once') taskOrders += 1
    },
    passed(snapshot, milliseconds) {
      now += milliseconds
      exclusive(snapshot)
      available(snapshot, milliseconds)
    },
    ended(end) {
      const reverts = commands.some(({ type, at }) => type === 'revert' && at < now - 5_000)
      if (end.how === 'succeeded') check(!reverts, 'it succeeded although it was asked to go back')
      if (!last || end.how === 'gave up') return
      if (end.how === 'succeeded') succeeded(end.decision, last.seen)
      else failed(end.decision, last.seen)
    },
  }
}

function slotOf({ slots }: Snapshot, slot: string): SlotState | undefined {
  return slots.find(({ id }) => id === slot)
}

function ready(slot: SlotState | undefined): number {
  return slot?.instances.filter((instance) => instance.ready).length ?? 0
}

function sum(ids: readonly string[], snapshot: Snapshot): number {
  return ids.reduce((total, id) => total + ready(slotOf(snapshot, id)), 0)
}

function readyRouted(snapshot: Snapshot): number {
  return sum(snapshot.route.slots, snapshot)
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

import type { Snapshot } from '../../contracts/v1/snapshot.js'
import { type ErrorRecord, KiwiError } from '../../errors/kiwi-error.js'
import type { next } from '../next.js'
import { before, begin, type Kept, look, type Progress, timesOf } from '../progress.js'
import { taskOf } from '../task.js'
import { type TroubleTimer, troubleTimer } from '../trouble.js'
import type { Decision, Instruction } from '../types.js'
import type { Oracle } from './oracle.js'
import type { Random } from './random.js'
import type { Scenario } from './scenario.js'
import type { World } from './world.js'

/** How a history ended. */
export type End =
  | { readonly how: 'succeeded'; readonly decision: Extract<Decision, { type: 'done' }> }
  | { readonly how: 'failed'; readonly decision: Extract<Decision, { type: 'done' }> }
  /** The runtime refused a write on the way back: there is no more to be done. */
  | { readonly how: 'gave up' }

export interface Driver {
  /** One look and what follows from it, as rollout/loop.ts does it; `undefined` while it goes on. */
  turn(snapshot: Snapshot, instruction: Instruction): End | undefined
  /** The process is killed and another one takes over. */
  crash(): void
}

const unseenMs = 2_000

/** The loop without promises: what it remembers, what it keeps, what it makes of errors. */
export function driverOf(
  { procedure, wanted, faults, keeps }: Scenario,
  { world, oracle, decide, random }: { world: World; oracle: Oracle; decide: typeof next; random: Random },
): Driver {
  let stored: Kept | undefined
  let progress: Progress = begin(undefined, world.now)
  let failure: ErrorRecord | undefined
  let acted: { readonly revision: string; readonly at: number } | undefined
  let trouble: TroubleTimer = troubleTimer(() => world.now)

  const keep = (changed: Progress) => {
    if (keeps && changed.kept !== progress.kept) stored = changed.kept
    progress = changed
  }
  const turnBack = (because: ErrorRecord) => {
    failure = because
    keep({ ...progress, kept: { ...progress.kept, back: { at: world.now, because } } })
  }

  function carryOut(decision: Extract<Decision, { type: 'act' }>, goingBack: boolean): End | undefined {
    const { action } = decision
    keep(before(progress, action, wanted, world.now))
    if (random.chance(faults.crashes / 2)) return crash()
    acted = { revision: action.revision, at: world.now }
    const error = write(decision)
    if (error === undefined) trouble.over()
    else if (!trouble.mayPass(error)) {
      if (goingBack) return { how: 'gave up' }
      turnBack(error.toRecord())
    }
    if (random.chance(faults.crashes / 2)) crash()
    return undefined
  }

  function write({ action }: Extract<Decision, { type: 'act' }>): KiwiError | undefined {
    if (random.chance(faults.refusals)) return new KiwiError('PORT_TAKEN', 'no')
    if (random.chance(faults.conflicts)) return new KiwiError('CONFLICT', 'moved')
    const lost = random.chance(faults.lost) ? random.pick(['request', 'answer', 'effect', 'twice'] as const) : undefined
    if (lost === 'request') return new KiwiError('RUNTIME_UNREACHABLE', 'lost', { effect: 'unknown' })
    if (lost === 'effect') return undefined
    const answer = world.act(action)
    if (answer === 'done') oracle.wrote(action)
    if (lost === 'twice') world.act(action)
    if (lost === 'answer') return new KiwiError('RUNTIME_UNREACHABLE', 'lost', { effect: 'unknown' })
    if (answer === 'conflict') return new KiwiError('CONFLICT', 'moved')
    return answer === 'refused' ? new KiwiError('RUNTIME_FAILED', 'refused', { retryable: false }) : undefined
  }

  function crash(): undefined {
    progress = begin(stored, world.now)
    failure = stored?.back?.because
    acted = undefined
    trouble = troubleTimer(() => world.now)
    world.claim()
  }

  return {
    crash,
    turn(snapshot, instruction) {
      if (acted?.revision === snapshot.revision && world.now - acted.at < unseenMs) return undefined
      keep(look(progress, snapshot, wanted, 0, world.now))
      const { task } = progress.kept
      const ended = taskOf(snapshot, wanted)?.phase
      if (task?.told === 'started' && (ended === 'succeeded' || ended === 'failed'))
        keep({ ...progress, kept: { ...progress.kept, task: { ...task, told: ended } } })
      if (instruction === 'revert' && !failure) turnBack(new KiwiError('CANCELLED', 'asked back').toRecord())
      const seen = {
        snapshot,
        instruction: failure ? ('revert' as const) : instruction,
        environment: 'production',
        ...timesOf(progress, world.now),
      }
      const decision = decide(procedure, wanted, seen)
      oracle.decided(decision, seen)
      if (decision.type === 'wait') trouble.over()
      if (decision.type === 'act') return carryOut(decision, failure !== undefined)
      if (decision.type === 'fail') turnBack(new KiwiError(decision.code, decision.message).toRecord())
      if (decision.type === 'done') return { how: failure ? 'failed' : 'succeeded', decision }
      return undefined
    },
  }
}

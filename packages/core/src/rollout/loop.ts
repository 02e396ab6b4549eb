import type { Action } from '../contracts/v1/actions.js'
import type { Clock } from '../contracts/v1/clock.js'
import type { Context } from '../contracts/v1/context.js'
import type { Evidence, Runtime, Target } from '../contracts/v1/runtime.js'
import type { Snapshot } from '../contracts/v1/snapshot.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { EventBody } from '../events/event.js'
import { latest } from './latest.js'
import { next, type Strategy } from './next.js'
import { isReady, readyCount, slotOf } from './read.js'
import type { Decision, Instruction, Wanted } from './types.js'

export interface RolloutOptions {
  readonly runtime: Runtime
  readonly target: Target
  readonly strategy: Strategy
  readonly wanted: Wanted
  /** When it was first wanted: milliseconds since 1970. */
  readonly since: number
  readonly clock: Clock
  readonly context: Context
  /** Asked before every decision. */
  instruction(): Promise<{ readonly instruction: Instruction; readonly because?: KiwiError | undefined }>
  /** Brings the image to where the runtime takes it from; called before the slot is made, not when it is there already. */
  provide(): Promise<void>
  emit(body: EventBody): void
  killPoint(name: string): void
}

export interface RolledOut {
  readonly route: readonly string[]
  readonly addresses: readonly string[]
}

/** How long nothing new may be seen before the same state is judged again: deadlines and instructions count by this. */
const lookAgainMs = 200
/** How long an accepted write may go unseen before it is made again. */
const unseenMs = 2_000

/**
 * Observe → next → act, until what is seen is what was wanted. Knows nothing of its past but what is in `wanted` and `since`, so a new
 * process goes on where a killed one stopped. Rejects with why it could not be had, after the evidence was kept and the way back was gone.
 */
export async function rollout(options: RolloutOptions): Promise<RolledOut> {
  const { runtime, target, strategy, wanted, since, clock, context } = options
  const tell = announcer(options)
  let failure: KiwiError | undefined
  const times = stopwatch(clock, since)
  const trouble = troubleTimer(clock)
  let acted: { readonly revision: string; readonly at: number } | undefined
  await using snapshots = latest((signal) => runtime.observe(target, { ...context, signal }), {
    clock,
    signal: context.signal,
  })
  for (;;) {
    const snapshot = await snapshots.next(lookAgainMs)
    if (acted?.revision === snapshot.revision && clock.now() - acted.at < unseenMs) continue
    const given = await options.instruction()
    failure ??= given.because
    const instruction = failure ? 'revert' : given.instruction
    const decision = next(strategy, wanted, {
      snapshot,
      instruction,
      ...times.seen(snapshot, wanted, failure !== undefined),
    })
    tell(decision, slotOf(snapshot, wanted.slot))
    if (decision.type === 'wait') trouble.over() // what was ordered is there
    if (decision.type === 'act') {
      const refused = await act(options, decision.action, trouble)
      acted = { revision: decision.action.revision, at: clock.now() }
      if (refused && (failure || refused.code === 'FENCED')) throw refused
      failure ??= refused
    } else if (decision.type === 'fail') failure = await failed(options, decision)
    else if (decision.type === 'done') {
      if (failure) throw failure
      return { route: decision.route, addresses: decision.addresses }
    }
  }
}

/** How long which state lasts, as this process saw it. */
function stopwatch(clock: Clock, since: number) {
  let readyAt = since
  let routedAt: number | undefined
  let backAt: number | undefined
  return {
    seen(snapshot: Snapshot, { slot: id, replicas }: Wanted, goingBack: boolean) {
      const now = clock.now()
      const slot = slotOf(snapshot, id)
      if (slot && isReady(slot, replicas)) readyAt = now
      if (snapshot.route.slots.includes(id)) routedAt ??= now
      if (goingBack) backAt ??= now
      return { unreadyMs: now - readyAt, settlingMs: now - (routedAt ?? now), goingBackMs: now - (backAt ?? now) }
    },
  }
}

/** Makes the write. Answers with the error when it is no use to look again and go on. */
async function act(options: RolloutOptions, action: Action, trouble: TroubleTimer): Promise<KiwiError | undefined> {
  const { runtime, target, context, provide, emit, killPoint } = options
  try {
    if (action.type === 'ensure-slot') await provide()
    killPoint(`rollout: before ${action.type}`)
    await runtime.act(target, action, context)
    trouble.over()
  } catch (thrown) {
    context.signal.throwIfAborted()
    const error = KiwiError.from(thrown, 'deploy')
    return trouble.mayPass(error) ? undefined : error
  }
  killPoint(`rollout: after ${action.type}`)
  if (action.type === 'route') emit({ type: 'route', from: action.from, to: action.to })
  return undefined
}

/** An engine that is being restarted is back within this time. */
const patienceMs = 60_000

type TroubleTimer = ReturnType<typeof troubleTimer>

/** Tells passing trouble from lasting: the state moved, nobody knows whether a write took effect, or the runtime cannot be reached for a while. */
function troubleTimer(clock: Clock) {
  let since: number | undefined
  return {
    over(): void {
      since = undefined
    },
    mayPass(error: KiwiError): boolean {
      if (error.code === 'CONFLICT') return true
      since ??= clock.now()
      return error.retryable && clock.now() - since < patienceMs
    },
  }
}

async function failed(
  options: RolloutOptions,
  { code, message, evidence }: Extract<Decision, { type: 'fail' }>,
): Promise<KiwiError> {
  const { runtime, target, wanted, context, emit } = options
  const found = await runtime.evidence(target, wanted.slot, context).catch(() => undefined)
  const lines = found ? linesOf(found) : []
  emit({ type: 'evidence-kept', slot: wanted.slot, lines })
  return new KiwiError(code, message, {
    stage: 'deploy',
    effect: 'done',
    evidence: { state: evidence, lastOutput: lines },
  })
}

function linesOf({ instances }: Evidence): string[] {
  return instances.flatMap(({ id, exitCode, reason, lastOutput }) => {
    const state = [exitCode === undefined ? undefined : `exit code ${exitCode}`, reason].filter(
      (part) => part !== undefined,
    )
    return [...(state.length > 0 ? [`${id}: ${state.join(', ')}`] : []), ...lastOutput]
  })
}

/** Tells every change of what is done or waited for, once. */
function announcer({ emit, since, clock, wanted }: RolloutOptions) {
  let last = ''
  return (decision: Decision, slot: ReturnType<typeof slotOf>): void => {
    const counts = { ready: slot ? readyCount(slot) : 0, total: wanted.replicas }
    const told = describe(decision)
    const key = JSON.stringify([told, counts])
    if (key === last) return
    last = key
    emit({ type: 'rollout', ...told, ...counts, elapsedMs: clock.now() - since })
  }
}

function describe(decision: Decision): { phase: 'waiting' | 'acting' | 'done'; what: string; deadlineMs?: number } {
  if (decision.type === 'act') return { phase: 'acting', what: decision.action.type }
  if (decision.type === 'fail') return { phase: 'acting', what: `it failed: ${decision.message}` }
  if (decision.type === 'done') return { phase: 'done', what: `${decision.route.join(', ')} has the traffic` }
  const { deadlineMs } = decision
  return { phase: 'waiting', what: decision.for, ...(deadlineMs !== undefined && { deadlineMs }) }
}

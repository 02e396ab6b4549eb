import type { Action, ImageAtUse } from '../contracts/v1/actions.js'
import type { Clock } from '../contracts/v1/clock.js'
import type { Context } from '../contracts/v1/context.js'
import type { Runtime, Target } from '../contracts/v1/runtime.js'
import type { Snapshot } from '../contracts/v1/snapshot.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { EventBody } from '../events/event.js'
import { linesOf, withOutput } from '../verdict/output.js'
import { refusal } from '../verdict/rules/refusal.js'
import { latest } from './latest.js'
import { next } from './next.js'
import { before, begin, type Kept, look, type Progress, timesOf } from './progress.js'
import { slotOf } from './read.js'
import { taskNameOf, taskOf } from './task.js'
import { type Teller, teller } from './tell.js'
import { type TroubleTimer, troubleTimer } from './trouble.js'
import type { Failure, Instruction, Procedure, Wanted } from './types.js'

export interface RolloutOptions {
  readonly runtime: Runtime
  readonly target: Target
  readonly procedure: Procedure
  readonly wanted: Wanted
  /** When it was first wanted: milliseconds since 1970. */
  readonly since: number
  readonly clock: Clock
  readonly context: Context
  /** Asked before every decision. */
  instruction(): Promise<{ readonly instruction: Instruction; readonly because?: KiwiError | undefined }>
  /** Brings the image to where the runtime takes it from; called before instances or a task are started from it. */
  provide(image: ImageAtUse): Promise<void>
  emit(body: EventBody): void
  killPoint(name: string): void
  /** What an earlier process kept; left out, deadlines count from `since` after a crash, and a failure is found again. */
  readonly kept?: Kept | undefined
  /** Stores it, with the events told so far; resolves when it is durable. Called before the act it speaks of. */
  keep?(kept: Kept): Promise<void>
}

export interface RolledOut {
  readonly route: readonly string[]
  readonly addresses: readonly string[]
}

/** How long nothing new may be seen before the same state is judged again: deadlines and instructions count by this. */
const lookAgainMs = 200
/** How long an accepted write may go unseen before it is made again. */
const unseenMs = 2_000

/** One rollout under way, in this process. */
interface Course {
  readonly options: RolloutOptions
  readonly tell: Teller
  readonly trouble: TroubleTimer
  progress: Progress
  failure: KiwiError | undefined
  acted: { readonly revision: string; readonly at: number } | undefined
}

/**
 * Observe → next → act, until what is seen is what was wanted. Knows nothing of its past but `wanted`, `since` and `kept`, so a new process
 * goes on where a killed one stopped. Rejects with why it could not be had, after the evidence was kept and the way back was gone.
 */
export async function rollout(options: RolloutOptions): Promise<RolledOut> {
  const { runtime, target, procedure, wanted, clock, context } = options
  if (procedure === 'rolling' && runtime.traits.routes !== 'many') throw oneRoute(runtime)
  const because = options.kept?.back?.because
  const course: Course = {
    options,
    tell: teller(options.emit, wanted.replicas),
    trouble: troubleTimer(() => clock.now()),
    progress: begin(options.kept, clock.now()),
    failure: because && KiwiError.fromRecord(because),
    acted: undefined,
  }
  await using snapshots = latest((signal) => runtime.observe(target, { ...context, signal }), {
    clock,
    signal: context.signal,
  })
  for (;;) {
    const snapshot = await snapshots.next(lookAgainMs)
    const { acted } = course
    if (acted?.revision === snapshot.revision && clock.now() - acted.at < unseenMs) continue
    const end = await turn(course, snapshot)
    if (end) return end
  }
}

/** One decision, carried out. */
async function turn(course: Course, snapshot: Snapshot): Promise<RolledOut | undefined> {
  const { options, tell, trouble } = course
  const { procedure, wanted, since, clock, target } = options
  const given = await options.instruction()
  await keep(course, look(course.progress, snapshot, wanted, since, clock.now()))
  await watchTask(course, snapshot)
  const because = given.because ?? (given.instruction === 'revert' ? askedBack() : undefined)
  if (because && !course.failure) await turnBack(course, because)
  const decision = next(procedure, wanted, {
    snapshot,
    instruction: course.failure ? 'revert' : given.instruction,
    environment: target.environment,
    ...timesOf(course.progress, clock.now()),
  })
  tell.decision(decision, slotOf(snapshot, wanted.slot), clock.now() - since)
  if (decision.type === 'wait') {
    trouble.over() // what was ordered is there
    if (decision.diagnosis) tell.diagnosis(decision.diagnosis)
  } else if (decision.type === 'act') await act(course, decision.action, snapshot)
  else if (decision.type === 'fail') await turnBack(course, decision)
  else if (course.failure) throw decision.short === undefined ? course.failure : noted(course.failure, decision.short)
  else return { route: decision.route, addresses: decision.addresses }
  return undefined
}

/** Makes the write. What cannot be made by trying again turns the rollout back, or ends the way back. */
async function act(course: Course, action: Action, snapshot: Snapshot): Promise<void> {
  const { options, trouble } = course
  const { runtime, target, context, emit, killPoint, clock, wanted } = options
  try {
    if (starts(action, snapshot)) await options.provide(action.image)
    await keep(course, before(course.progress, action, wanted, clock.now()))
    killPoint(`rollout: before ${action.type}`)
    course.acted = { revision: action.revision, at: clock.now() }
    await runtime.act(target, action, context)
    course.acted = { revision: action.revision, at: clock.now() }
    trouble.over()
  } catch (thrown) {
    context.signal.throwIfAborted()
    const error = KiwiError.from(thrown, 'deploy')
    if (trouble.mayPass(error)) return
    if (error.code === 'FENCED') throw error
    if (course.failure) throw noted(course.failure, `going back failed: ${error.message}`, error)
    const diagnosis = refusal(error, wanted)
    if (diagnosis) course.tell.diagnosis(diagnosis)
    return turnBack(course, error)
  }
  killPoint(`rollout: after ${action.type}`)
  if (action.type === 'route') emit({ type: 'route', from: action.from, to: action.to })
}

function starts(action: Action, snapshot: Snapshot): action is Extract<Action, { readonly image: ImageAtUse }> {
  if (action.type === 'run-once') return true
  return (
    action.type === 'ensure-slot' &&
    action.replicas > 0 &&
    action.replicas >= (slotOf(snapshot, action.slot)?.replicas ?? 0)
  )
}

/** From here on it goes back, in every process; the evidence is kept first. */
async function turnBack(course: Course, failure: Failure | KiwiError): Promise<void> {
  const { wanted, clock } = course.options
  const subject = KiwiError.is(failure) || failure.code !== 'TASK_FAILED' ? wanted.slot : taskNameOf(wanted)
  const lines = await keepEvidence(course, subject)
  if (!KiwiError.is(failure)) course.tell.diagnosis(withOutput(failure.diagnosis, lines, aboutOf(course)))
  course.failure = KiwiError.is(failure) ? failure : errorOf(failure, lines)
  const { kept } = course.progress
  const back = { at: clock.now(), because: course.failure.toRecord() }
  await keep(course, { ...course.progress, kept: { ...kept, back } })
  course.options.killPoint('rollout: going back')
}

function errorOf({ code, message, evidence, diagnosis }: Failure, lines: readonly string[]): KiwiError {
  const { code: diagnosed } = diagnosis
  return new KiwiError(code, message, {
    stage: 'deploy',
    effect: 'done',
    evidence: { state: evidence, diagnosis: diagnosed, lastOutput: lines },
  })
}

function aboutOf({ options: { wanted, target } }: Course) {
  return { spec: wanted.spec, image: wanted.image, environment: target.environment }
}

async function keepEvidence({ options }: Course, subject: string): Promise<readonly string[]> {
  const { runtime, target, context, emit } = options
  const found = await runtime.evidence(target, subject, context).catch(() => undefined)
  context.signal.throwIfAborted()
  const lines = found ? linesOf(found) : []
  emit({ type: 'evidence-kept', slot: subject, lines })
  return lines
}

/** Tells how the task fares, each change once across crashes, and hands over what it printed. */
async function watchTask(course: Course, snapshot: Snapshot): Promise<void> {
  const { wanted, emit } = course.options
  const { kept } = course.progress
  const task = taskOf(snapshot, wanted)
  const told = kept.task?.told
  if (!task || wanted.beforeSwitch === undefined || told === 'succeeded' || told === 'failed') return
  if (task.phase !== 'succeeded' && task.phase !== 'failed') return
  await handOver(course, task.id)
  const { id, phase, exitCode } = task
  emit({ type: 'task', task: id, phase, ...(exitCode !== undefined && { exitCode }) })
  const at = kept.task?.at ?? course.options.since
  await keep(course, { ...course.progress, kept: { ...kept, task: { at, told: phase } } })
}

async function handOver({ options }: Course, task: string): Promise<void> {
  const { runtime, target, context } = options
  const found = await runtime.evidence(target, task, context).catch(() => undefined)
  for (const line of (found?.instances ?? []).flatMap(({ lastOutput }) => lastOutput))
    await context.output(new TextEncoder().encode(`${line}\n`), { step: task, stream: 'out' })
}

/** Stores what is new of it. */
async function keep(course: Course, progress: Progress): Promise<void> {
  const { options, progress: earlier } = course
  course.progress = progress
  if (progress.kept.task?.told === 'started' && earlier.kept.task === undefined)
    options.emit({ type: 'task', task: taskNameOf(options.wanted), phase: 'started' })
  if (progress.kept !== earlier.kept) await options.keep?.(progress.kept)
}

function noted(failure: KiwiError, note: string, cause: unknown = failure.cause): KiwiError {
  return new KiwiError(failure.code, `${failure.message}; ${note}`, { ...failure, cause })
}

function askedBack(): KiwiError {
  return new KiwiError('CANCELLED', 'it was asked to go back', { stage: 'deploy', effect: 'done' })
}

function oneRoute({ kind }: Runtime): KiwiError {
  const message = `a ${kind} runtime routes to one slot at a time, so there are no rolling updates on it`
  return new KiwiError('STRATEGY_UNFIT', message, { stage: 'deploy' })
}

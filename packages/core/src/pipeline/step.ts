import type { Context } from '../contracts/v1/context.js'
import type { Json } from '../contracts/v1/json.js'
import type { DocumentWrite } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { EventBody, Stage } from '../events/event.js'
import { rememberTime, usualTimeOf } from '../release/stage-times.js'
import type { PipelineRun } from './pipeline-run.js'

/** One stage of the line as a journaled step. Intent and result are plain JSON, kept as they are. */
export interface Work<Intent, Result> {
  /** Fixes what is wanted, before the first effect. Not asked again after a crash. */
  intent?(): Promise<Intent> | Intent
  /** After a crash between effect and outcome: finds what was done, so that it is not done twice. Left out where `do` itself can be repeated. */
  find?(context: Context, intent: Intent): Promise<Result | undefined>
  do(context: Context, intent: Intent, since: number): Promise<Result>
  /** Told in the same transaction as the outcome, so exactly once. */
  announce?(result: Result): EventBody
  /** Written in that transaction too. */
  documents?(result: Result): Promise<readonly DocumentWrite[]> | readonly DocumentWrite[]
}

/**
 * Commits the intent, does the work, commits the outcome; a step that is done returns what it returned before.
 * The four kill points stand where a process can die with a different state left behind: a campaign kills at each.
 */
export async function step<Intent, Result>(
  run: PipelineRun,
  stage: Stage,
  work: Work<Intent, Result>,
): Promise<Result> {
  const earlier = run.journal.get(stage)
  if (earlier?.state === 'done') return fromJournal<Result>(earlier.result)
  const context = run.context(stage)
  try {
    context.signal.throwIfAborted()
    const { since, intent } = earlier ?? (await begin(run, stage, work))
    run.killPoint(`${stage}: intent committed`)
    const wanted = fromJournal<Intent>(intent)
    const found = earlier && (await work.find?.(context, wanted))
    const result = found ?? (await work.do(context, wanted, since))
    context.endOutput()
    run.killPoint(`${stage}: effect done`)
    await finish(run, stage, { since, intent }, result, work)
    run.killPoint(`${stage}: outcome committed`)
    return result
  } catch (thrown) {
    context.endOutput()
    const error = KiwiError.from(context.signal.aborted ? context.signal.reason : thrown, stage)
    run.events.emit({ type: 'stage-ended', stage, durationMs: sinceStart(run, stage), error: error.toRecord() }, stage)
    throw error
  }
}

/** Replaces the intent of a step that is under way: what it found out must not be forgotten by a crash. */
export async function revise(run: PipelineRun, stage: Stage, intent: unknown): Promise<void> {
  const record = run.journal.get(stage)
  if (record) await keep(run, { ...record, intent: toJournal(intent) }, [])
}

interface Begun {
  readonly since: number
  readonly intent?: Json | undefined
}

async function begin<Intent, Result>(run: PipelineRun, stage: Stage, work: Work<Intent, Result>): Promise<Begun> {
  const since = run.clock.now()
  const usualMs = await usualTimeOf(run.store, run.request.service, run.request.kind, stage)
  const intent = toJournal(await work.intent?.())
  run.killPoint(`${stage}: before intent`)
  run.events.emit({ type: 'stage-started', stage, usualMs }, stage)
  await keep(run, { runId: run.id, name: stage, state: 'intended', since, intent }, [])
  return { since, intent }
}

async function finish<Intent, Result>(
  run: PipelineRun,
  stage: Stage,
  begun: Begun,
  result: Result,
  work: Work<Intent, Result>,
): Promise<void> {
  const durationMs = run.clock.now() - begun.since
  const documents = [
    ...((await work.documents?.(result)) ?? []),
    await rememberTime(run.store, run.request, stage, durationMs),
  ]
  const announcement = work.announce?.(result)
  if (announcement) run.events.emit(announcement, stage)
  run.events.emit({ type: 'stage-ended', stage, durationMs }, stage)
  await keep(run, { runId: run.id, name: stage, state: 'done', ...begun, result: toJournal(result) }, documents)
}

async function keep(
  run: PipelineRun,
  record: Parameters<typeof run.journal.set>[1],
  documents: readonly DocumentWrite[],
): Promise<void> {
  await run.events.commit({ steps: [record], documents })
  run.journal.set(record.name as Stage, record) // steps are named by their stage, here and nowhere else
}

function sinceStart(run: PipelineRun, stage: Stage): number {
  const since = run.journal.get(stage)?.since
  return since === undefined ? 0 : run.clock.now() - since
}

/** Intents and results are plain JSON by the contracts' second law; the compiler cannot see that of an interface. */
function toJournal(value: unknown): Json | undefined {
  return value as Json | undefined
}

function fromJournal<T>(value: Json | undefined): T {
  return value as unknown as T
}

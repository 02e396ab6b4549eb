import { join } from 'node:path'
import type { Clock } from '../contracts/v1/clock.js'
import type { Json } from '../contracts/v1/json.js'
import type { Lease, RunRow, StepRecord, Store } from '../contracts/v1/store.js'
import type { Tree } from '../contracts/v1/tree.js'
import { type ErrorRecord, KiwiError } from '../errors/kiwi-error.js'
import type { Stage } from '../events/event.js'
import { eventWriter } from '../events/writer.js'
import { ociLayout } from '../image/layout.js'
import type { Build, Release } from '../model/release.js'
import type { Command, RunRequest } from '../model/run.js'
import type { PipelineRun } from '../pipeline/pipeline-run.js'
import { failedRelease, failureDocuments, recorded } from '../pipeline/record.js'
import * as line from '../pipeline/run.js'
import { pinned } from '../registers/pinned.js'
import { unfinishedBuild } from '../release/builds.js'
import type { Redactor } from '../secrets/redactor.js'
import { cancellation, cancelSignal, stoppingOf } from './cancel.js'
import { stageContext } from './context.js'
import type { Engine } from './engine.js'
import { keepLease } from './lease.js'

/** Works on a claimed run until it ends, or until the lease is lost or this process closes: then it is left as it is, to be resumed. */
export async function execute(lease: Lease, engine: Engine): Promise<void> {
  const { store, clock, closing, hub } = engine
  const row = await store.run(lease.runId)
  if (!row) throw new KiwiError('RUN_UNKNOWN', `there is no run ${lease.runId}`)
  await using kept = keepLease(lease, { store, clock, signal: closing })
  await using files = openOnce()
  const steps = await store.steps(lease.runId)
  const stopped = stoppingOf(await store.commands(lease.runId))
  const ended = new AbortController()
  const leave = hub.workOn(lease.runId)
  const run = pipelineRun(engine, { lease, row, steps, signal: kept.signal, ended: ended.signal, files })
  run.events.emit({ type: 'run-started', resumed: steps.length > 0, host: engine.host })
  try {
    if (stopped && !run.journal.has('deploy')) throw cancellation(stopped)
    await end(run, row, await lineOf(run))
  } catch (error) {
    const unsaved = run.events.unsaved()
    if (kept.signal.aborted || unsaved) await store.giveBack(lease).catch(() => undefined)
    if (unsaved) throw unsaved // the journal stands where it stood: resume goes on from there
    if (!kept.signal.aborted) await fail(run, row, redacted(KiwiError.from(error), engine.redactor))
  } finally {
    leave()
    ended.abort()
  }
}

/** The line of the run's kind; each answers with the row that it wrote. */
function lineOf(run: PipelineRun): Promise<Build | Release> {
  const { request } = run
  switch (request.kind) {
    case 'release':
      return line.release({ ...run, request })
    case 'build':
      return line.build({ ...run, request })
    case 'push':
      return line.push({ ...run, request })
    case 'deploy':
      return line.deploy({ ...run, request })
    case 'rollback':
      return line.rollback({ ...run, request })
    case 'restart':
      return line.restart({ ...run, request })
    case 'scale':
      return line.scale({ ...run, request })
    case 'undeploy':
      return line.undeploy({ ...run, request })
    case 'adopt':
      return line.adopt({ ...run, request })
    default:
      return request satisfies never
  }
}

async function end(run: PipelineRun, row: RunRow, made: Build | Release): Promise<void> {
  run.killPoint('run: before its end')
  const at = run.clock.now()
  const result = 'id' in made ? { releaseId: made.id } : { buildNumber: made.number }
  run.events.emit({ type: 'run-ended', status: 'succeeded', durationMs: at - row.acceptedAt, result })
  await run.events.commit({ end: { status: 'succeeded', at } })
  run.killPoint('run: ended')
}

/** An error may quote an application's output: what is stored of it knows no secret. */
function redacted(error: KiwiError, redactor: Redactor): ErrorRecord {
  return redactor.json(error.toRecord() as unknown as Json) as unknown as ErrorRecord // a record is plain JSON; redaction keeps the shape
}

async function fail(run: PipelineRun, row: RunRow, record: ErrorRecord): Promise<void> {
  const status = record.code === 'CANCELLED' ? 'cancelled' : 'failed'
  const at = run.clock.now()
  const build = await unfinishedBuild(run, { status, error: record, at })
  const { request } = run
  const failed = request.environment === undefined ? undefined : failedRelease({ ...run, request }, record)
  if (failed) run.events.emit(recorded(failed), 'record')
  run.events.emit({ type: 'run-ended', status, durationMs: at - row.acceptedAt, error: record })
  const documents = [...(build ? [build] : []), ...(failed ? failureDocuments(failed, record) : [])]
  await run.events.commit({ documents, end: { status, at } })
}

interface Parts {
  readonly lease: Lease
  readonly row: RunRow
  readonly steps: readonly StepRecord[]
  readonly signal: AbortSignal
  readonly ended: AbortSignal
  readonly files: ReturnType<typeof openOnce>
}

function pipelineRun(engine: Engine, { lease, row, steps, signal, ended, files }: Parts): PipelineRun<RunRequest> {
  const { store, clock, hub, redactor, secret, directory, killPoint } = engine
  const { registries, runtimes } = engine.adapters
  const adapters = { ...engine.adapters, registries: pinned(registries), runtimes: pinned(runtimes) }
  const events = eventWriter({ store, lease, hub, clock, redactor })
  const cancelled = cancelSignal(lease.runId, { store, hub, clock, signal: AbortSignal.any([signal, ended]) })
  const stoppable = AbortSignal.any([signal, cancelled])
  const context = (stage: Stage) =>
    stageContext(stage, { lease, signal: beforeDeploy.has(stage) ? stoppable : signal, events, redactor, secret })
  return {
    id: lease.runId,
    request: row.request,
    startedAt: row.startedAt ?? row.acceptedAt,
    adapters,
    store,
    clock,
    events,
    images: ociLayout(join(directory, 'images')),
    journal: new Map(steps.map((record) => [record.name as Stage, record])), // steps are named by their stage: pipeline/step.ts
    stoppable,
    redacted: <T>(value: T) => redactor.json(value as unknown as Json) as unknown as T, // plain JSON keeps its shape
    context,
    commands: () => commandsOf(lease.runId, { store, clock, signal }),
    tree: (revision) =>
      files.open(async () => (await adapters.source(row.request.definition.source)).open(revision, context('source'))),
    killPoint,
  }
}

/** Asked before every decision: a store that is busy for a moment is no reason to end the run. */
async function commandsOf(
  runId: string,
  { store, clock, signal }: { store: Store; clock: Clock; signal: AbortSignal },
): Promise<readonly Command[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await store.commands(runId)
    } catch (error) {
      if (!KiwiError.is(error) || !error.retryable || attempt === readAttempts) throw error
      await clock.sleep(500, signal)
    }
  }
}

const readAttempts = 10

/** A cancel stops these at once; from `deploy` on it is an instruction to go back. */
const beforeDeploy: ReadonlySet<Stage> = new Set<Stage>(['source', 'analyse', 'build', 'push'])

/** The files are opened when a stage first asks for them, and deleted when the run ends. */
function openOnce() {
  let opened: Promise<Tree & AsyncDisposable> | undefined
  return {
    open(how: () => Promise<Tree & AsyncDisposable>): Promise<Tree> {
      opened ??= how()
      return opened
    },
    async [Symbol.asyncDispose]() {
      const tree = await opened?.catch(() => undefined)
      await tree?.[Symbol.asyncDispose]()
    },
  }
}

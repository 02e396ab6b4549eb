import type { RunRow, Store } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { isOpen } from '../journal/run-row.js'
import type { Build, Release } from '../model/release.js'
import { buildOf, builds } from '../release/builds.js'
import { history, releaseById } from '../release/history.js'
import { bell } from './bell.js'
import type { KiwiEvent } from './event.js'
import { type FollowOptions, follow, pollMs } from './follow.js'

/** One run, from whichever process it is watched. Iterate it for its events, from the first one on. */
export interface Run<Result = Build | Release> extends AsyncIterable<KiwiEvent> {
  readonly id: string
  /** Resolves with the release or build that it wrote, or rejects with the run's error. Left unread, it never causes an unhandled rejection. */
  readonly result: Promise<Result>
  /** Calls back for the events of one type, from the first one on, also when called late. Answers how to stop. */
  on<T extends KiwiEvent['type']>(type: T, listener: (event: Extract<KiwiEvent, { type: T }>) => void): () => void
}

/** `Result` is what runs of that kind end with: the caller knows the kind. */
export function runHandle<Result extends Build | Release>(runId: string, options: FollowOptions): Run<Result> {
  let result: Promise<Result> | undefined
  return {
    id: runId,
    get result() {
      result ??= resultOf(runId, options) as Promise<Result>
      result.catch(() => undefined)
      return result
    },
    on(type, listener) {
      const stop = new AbortController()
      const until = AbortSignal.any([options.signal, stop.signal])
      listen(runId, { ...options, signal: until }, type, listener).catch(() => undefined) // why it ended is told by `result`
      return () => stop.abort()
    },
    [Symbol.asyncIterator]: () => follow(runId, options),
  }
}

async function listen<T extends KiwiEvent['type']>(
  runId: string,
  options: FollowOptions,
  type: T,
  listener: (event: Extract<KiwiEvent, { type: T }>) => void,
): Promise<void> {
  const matches = (event: KiwiEvent): event is Extract<KiwiEvent, { type: T }> => event.type === type
  for await (const event of follow(runId, options)) if (matches(event)) callSafely(listener, event)
}

/** A listener that throws, or whose promise rejects, is told of, and must neither end the run nor the host. */
function callSafely<E>(listener: (event: E) => unknown, event: E): void {
  const warn = (error: unknown) => process.emitWarning(error instanceof Error ? error : new Error(String(error)))
  try {
    Promise.resolve(listener(event)).catch(warn)
  } catch (error) {
    warn(error)
  }
}

/** Looks at the run's row, and again when something happens or after a while; the events before the last one are not read for it. */
async function resultOf(runId: string, { store, hub, clock, signal }: FollowOptions): Promise<Build | Release> {
  const ended = new AbortController()
  const news = bell(clock, AbortSignal.any([signal, ended.signal]))
  let failure: KiwiError | undefined
  const stop = hub.subscribe(runId, (one) => {
    if (KiwiError.is(one)) failure = one
    if (KiwiError.is(one) || one.type === 'run-ended') news.ring()
  })
  try {
    for (;;) {
      const row = await store.run(runId)
      if (!row) throw new KiwiError('RUN_UNKNOWN', `there is no run ${runId}`)
      if (!isOpen(row)) return await outcome(row, store)
      if (failure) throw failure
      signal.throwIfAborted()
      await news.wait(pollMs)
    }
  } finally {
    stop()
    ended.abort()
  }
}

async function outcome(row: RunRow, store: Store): Promise<Build | Release> {
  const { runId, lastSeq, request } = row
  const [last] = await store.read(runId, lastSeq - 1)
  if (!last) return fromRows(row, store)
  if (last.type !== 'run-ended') throw new KiwiError('INTERNAL', `the events of run ${runId} do not end with its end`)
  if (last.error) throw KiwiError.fromRecord(last.error)
  if (!last.result) throw new KiwiError('INTERNAL', `run ${runId} ended without a result`)
  if ('buildNumber' in last.result) return buildOf(store, request.service, last.result.buildNumber)
  return releaseById(store, last.result.releaseId)
}

/** The events were forgotten; the row that the run wrote is kept. */
async function fromRows({ runId, status, request }: RunRow, store: Store): Promise<Build | Release> {
  const { service, environment } = request
  const rows = environment === undefined ? await builds(store, service) : await history(store, service, environment)
  const pushed = request.kind === 'push' ? rows.find(({ number }) => number === request.buildNumber) : undefined
  const made = pushed ?? rows.find((one) => one.runId === runId)
  if (status === 'succeeded' && made) return made
  if (made?.error && !pushed) throw KiwiError.fromRecord(made.error)
  const code = status === 'cancelled' ? 'CANCELLED' : 'INTERNAL'
  throw new KiwiError(code, `run ${runId} ended as ${status}; its events were pruned`)
}

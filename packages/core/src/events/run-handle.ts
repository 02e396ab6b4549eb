import { KiwiError } from '../errors/kiwi-error.js'
import type { Release } from '../model/release.js'
import type { KiwiEvent, StoredEvent } from './event.js'
import { type FollowOptions, follow } from './follow.js'

/** One run, from whichever process it is watched. Iterate it for its events, from the first one on. */
export interface Run extends AsyncIterable<KiwiEvent> {
  readonly id: string
  /** Resolves with the release it recorded, or rejects with the run's error. Left unread, it never causes an unhandled rejection. */
  readonly result: Promise<Release>
  /** Calls back for the events of one type, from the first one on, also when called late. Answers how to stop. */
  on<T extends KiwiEvent['type']>(type: T, listener: (event: Extract<KiwiEvent, { type: T }>) => void): () => void
}

export function runHandle(runId: string, options: FollowOptions): Run {
  let result: Promise<Release> | undefined
  return {
    id: runId,
    get result() {
      result ??= resultOf(runId, options)
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

/** A listener that throws is told of, and must neither end the run nor the host. */
function callSafely<E>(listener: (event: E) => void, event: E): void {
  try {
    listener(event)
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : new Error(String(error)))
  }
}

async function resultOf(runId: string, options: FollowOptions): Promise<Release> {
  let recorded: Extract<StoredEvent, { type: 'release-recorded' }> | undefined
  for await (const event of follow(runId, options)) {
    if (event.type === 'release-recorded') recorded = event
    if (event.type === 'run-ended') return await outcome(event, recorded?.releaseId, options)
  }
  throw new KiwiError('RUN_UNKNOWN', `there is no run ${runId}`)
}

async function outcome(
  ended: Extract<StoredEvent, { type: 'run-ended' }>,
  releaseId: string | undefined,
  { store }: FollowOptions,
): Promise<Release> {
  if (ended.error) throw KiwiError.fromRecord(ended.error)
  const release = releaseId === undefined ? undefined : await store.documents.get('release', releaseId)
  if (release === undefined) throw new KiwiError('INTERNAL', `run ${ended.runId} ended without a release`)
  return release as unknown as Release // written by pipeline/record.ts, and only there
}

import type { Clock } from '../contracts/v1/clock.js'
import type { Store } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { bell } from './bell.js'
import type { KiwiEvent } from './event.js'
import type { Hub } from './hub.js'

/** A run that another process works on is looked at this often. */
export const pollMs = 200
/** Of one that this process works on everything is told; only what another process adds (a command) has to be looked for. */
const pollOwnMs = 2_000

/** A listener that is this far behind misses progress, never an event: what is stored is read again when its turn comes. */
const mostLive = 1_000
const batch = 1_000

export interface FollowOptions {
  readonly store: Store
  readonly hub: Hub
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * Every event of a run from the first one on, to `run-ended`: what is stored, then what comes live from this process or is found by
 * polling, without a gap and without a double. Progress comes only live and may be thinned out.
 */
export async function* follow(runId: string, { store, hub, clock, signal }: FollowOptions): AsyncGenerator<KiwiEvent> {
  const live: KiwiEvent[] = []
  const ended = new AbortController()
  const news = bell(clock, AbortSignal.any([signal, ended.signal]))
  let failure: KiwiError | undefined
  const stop = hub.subscribe(runId, (one) => {
    if (KiwiError.is(one)) failure = one
    else if (live.length < mostLive) live.push(one)
    news.ring()
  })
  try {
    for (let seq = 0; !signal.aborted; ) {
      const asks = !continues(live, seq)
      const stored = asks ? await store.read(runId, seq, batch) : []
      if (asks && seq === 0 && stored.length === 0 && live.length === 0) return // its events were forgotten: every run has some
      for (const event of merge(stored, live.splice(0), seq)) {
        seq = event.seq ?? seq
        yield event
        if (event.type === 'run-ended') return
      }
      if (failure) throw failure
      if (live.length === 0 && stored.length < batch) await news.wait(hub.isWorkedOn(runId) ? pollOwnMs : pollMs)
    }
    signal.throwIfAborted()
  } finally {
    stop()
    ended.abort()
  }
}

/** Whether the live events alone carry on where the sequence stands, so that the store need not be asked. Older ones were read there already. */
function continues(live: readonly KiwiEvent[], seq: number): boolean {
  const first = live.find((event) => event.seq === undefined || event.seq > seq)
  return first ? first.seq === undefined || first.seq === seq + 1 : live.length > 0
}

/** Stored events first; then the live ones that are newer, as long as they continue the sequence (a gap is read from the store next time). */
function* merge(stored: readonly KiwiEvent[], live: readonly KiwiEvent[], after: number): Generator<KiwiEvent> {
  let seq = after
  for (const event of [...stored, ...live]) {
    if (event.seq === undefined) yield event
    else if (event.seq === seq + 1) {
      seq = event.seq
      yield event
    }
  }
}

import type { Clock } from '../contracts/v1/clock.js'
import { KiwiError } from '../errors/kiwi-error.js'

/** The newest value of a stream; older ones that nobody asked for in time are skipped. */
export interface Latest<T> extends AsyncDisposable {
  /** Resolves with the newest value: at once if there is one that was not given out yet, else with the next one, or after `withinMs` with the old one again. */
  next(withinMs: number): Promise<T>
}

/** After a fault that may pass, the stream is opened again this much later, and for this long altogether. */
const reopenMs = 500
const patienceMs = 300_000
/** A runtime that shows nothing at all for this long cannot be worked with. */
const firstWithinMs = 60_000

export function latest<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  options: { clock: Clock; signal: AbortSignal },
): Latest<T> {
  const { clock } = options
  const closed = new AbortController()
  const signal = AbortSignal.any([options.signal, closed.signal])
  let value: { readonly it: T } | undefined
  let fresh = false
  let failure: unknown
  let wake = () => {}
  let seenAt = clock.now()

  const pump = async () => {
    while (!signal.aborted) {
      try {
        for await (const it of open(signal)) {
          value = { it }
          fresh = true
          seenAt = clock.now()
          wake()
        }
      } catch (error) {
        const passing = KiwiError.is(error) && error.retryable && clock.now() - seenAt < patienceMs
        if (!signal.aborted && !passing) throw error
      }
      await clock.sleep(reopenMs, signal).catch(() => undefined)
    }
  }
  const pumping = pump().catch((error: unknown) => {
    failure = error
    wake()
  })
  return {
    async next(withinMs) {
      if (!fresh && failure === undefined) await woken(clock, signal, withinMs, (resolve) => (wake = resolve))
      while (value === undefined && failure === undefined) {
        if (clock.now() - seenAt > firstWithinMs) throw unseen()
        await woken(clock, signal, withinMs, (resolve) => (wake = resolve))
      }
      if (failure !== undefined) throw failure
      options.signal.throwIfAborted()
      if (value === undefined) throw new KiwiError('INTERNAL', 'the stream ended without a value')
      fresh = false
      return value.it
    },
    async [Symbol.asyncDispose]() {
      closed.abort()
      await pumping
    },
  }
}

function unseen(): KiwiError {
  return new KiwiError('RUNTIME_UNREACHABLE', 'the runtime has shown nothing of this environment')
}

async function woken(
  clock: Clock,
  signal: AbortSignal,
  withinMs: number,
  onWake: (resolve: () => void) => void,
): Promise<void> {
  signal.throwIfAborted()
  const called = new AbortController()
  onWake(() => called.abort())
  await clock.sleep(withinMs, AbortSignal.any([signal, called.signal])).catch(() => signal.throwIfAborted())
}

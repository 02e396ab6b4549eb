import type { Clock } from '../contracts/v1/clock.js'
import type { KiwiError } from '../errors/kiwi-error.js'

/** Rejects with `late` once the time is over, also where the work does not listen to its signal. */
export async function withinTime<T>(
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  { timeoutMs, late }: { readonly timeoutMs: number; readonly late: KiwiError },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ended = new AbortController()
  const stopped = new AbortController()
  const watch = clock.sleep(timeoutMs, AbortSignal.any([signal, ended.signal])).then(
    () => {
      stopped.abort(late)
      throw late
    },
    () => signal.throwIfAborted(), // it ended in time, or nobody waits for it any more
  )
  const both = AbortSignal.any([signal, stopped.signal])
  const done = work(both)
  try {
    return await Promise.race([done, watch.then(() => done)])
  } finally {
    ended.abort()
    done.catch(() => undefined)
    watch.catch(() => undefined)
  }
}

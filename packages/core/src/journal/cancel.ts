import type { Clock } from '../contracts/v1/clock.js'
import type { Store } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Command } from '../model/run.js'

/** A cancel that another process gave is seen after this time at the latest. */
const lookEveryMs = 500

/** Fires when someone cancels the run. Commands live in the store, so any process may give them. */
export function cancelSignal(
  runId: string,
  { store, clock, signal }: { store: Store; clock: Clock; signal: AbortSignal },
): AbortSignal {
  const cancelled = new AbortController()
  const watch = async () => {
    while (!signal.aborted && !cancelled.signal.aborted) {
      const command = (await store.commands(runId)).find(({ type }) => type === 'cancel' || type === 'revert')
      if (command) cancelled.abort(cancellation(command))
      else await clock.sleep(lookEveryMs, signal)
    }
  }
  watch().catch(() => undefined) // it ends with the lease, whose own loss is told by the next commit
  return cancelled.signal
}

/** The error of a run that someone stopped. */
export function cancellation({ type, by, reason }: Command): KiwiError {
  const what = type === 'revert' ? 'put back' : 'cancelled'
  return new KiwiError('CANCELLED', `the run was ${what} by ${by}${reason ? `: ${reason}` : ''}`)
}

import type { Clock } from '../contracts/v1/clock.js'
import type { Store } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { bell } from '../events/bell.js'
import type { Hub } from '../events/hub.js'
import type { Command } from '../model/run.js'

/** A cancel that another process gave is seen after this time at the latest. */
const lookEveryMs = 500

/** Fires when someone cancels the run. Commands live in the store, so any process may give them. */
export function cancelSignal(
  runId: string,
  { store, hub, clock, signal }: { store: Store; hub: Hub; clock: Clock; signal: AbortSignal },
): AbortSignal {
  const cancelled = new AbortController()
  const orders = bell(clock, signal)
  const stop = hub.onNudge(runId, orders.ring)
  const watch = async () => {
    while (!signal.aborted && !cancelled.signal.aborted) {
      const commands = await store.commands(runId).catch(() => []) // it may be readable again the next time
      const command = stoppingOf(commands)
      if (command) cancelled.abort(cancellation(command))
      else await orders.wait(lookEveryMs)
    }
  }
  void watch().finally(stop)
  return cancelled.signal
}

/** What stops a run that has not begun to deploy. From there on cancel and revert mean to go back, and supersede means nothing. */
const stopping: ReadonlySet<Command['type']> = new Set<Command['type']>(['cancel', 'revert', 'supersede'])

/** What stops a run that has not begun to deploy, if that was given. */
export function stoppingOf(commands: readonly Command[]): Command | undefined {
  return commands.find(({ type }) => stopping.has(type))
}

const words: Partial<Record<Command['type'], string>> = { revert: 'put back', supersede: 'superseded' }

/** The error of a run that someone stopped. */
export function cancellation({ type, by, reason }: Command): KiwiError {
  const what = words[type] ?? 'cancelled'
  return new KiwiError('CANCELLED', `the run was ${what} by ${by}${reason ? `: ${reason}` : ''}`)
}

import type { Clock } from '../contracts/v1/clock.js'
import type { Context } from '../contracts/v1/context.js'
import type { Runtime, Target } from '../contracts/v1/runtime.js'
import type { Snapshot } from '../contracts/v1/snapshot.js'
import { KiwiError } from '../errors/kiwi-error.js'

/** A runtime that shows nothing for this long is not waited for. */
const withinMs = 10_000

/** One look at a target, without claiming it. Rejects with `RUNTIME_UNREACHABLE` when nothing is shown in time. */
export async function look(
  runtime: Runtime,
  target: Target,
  { clock, context }: { readonly clock: Clock; readonly context: Context },
): Promise<Snapshot> {
  const looked = new AbortController()
  const signal = AbortSignal.any([context.signal, looked.signal])
  const late = clock.sleep(withinMs, signal).then(() => looked.abort())
  late.catch(() => undefined) // it was shown, or nobody wants to see it any more
  try {
    for await (const snapshot of runtime.observe(target, { ...context, signal })) return snapshot
  } catch (error) {
    context.signal.throwIfAborted()
    if (!looked.signal.aborted) throw error
  } finally {
    looked.abort()
  }
  context.signal.throwIfAborted()
  throw new KiwiError('RUNTIME_UNREACHABLE', `the runtime has shown nothing of ${target.service}/${target.environment}`)
}

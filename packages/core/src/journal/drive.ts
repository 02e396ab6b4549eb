import type { Worker } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Engine } from './engine.js'
import { execute } from './execute.js'
import { leaseTtlMs } from './lease.js'

/** While another process holds the scope, its lease is looked at this often. */
const lookEveryMs = 200

/**
 * Works on the runs of a scope, oldest first, until `runId` has ended, whoever ends it. So a run that a killed process left behind is
 * finished before the next one begins, and nothing ever needs to be unlocked by hand.
 */
export async function drive(runId: string, scope: string, worker: Worker, engine: Engine): Promise<void> {
  const { store, clock, closing } = engine
  while (!closing.aborted) {
    const lease = await store.claim(worker, { scope, nowMs: clock.now(), ttlMs: leaseTtlMs })
    if (lease) await execute(lease, engine).catch(leftToItsOwner)
    const status = (await store.run(runId))?.status
    if (status !== 'accepted' && status !== 'running') return
    if (!lease) await clock.sleep(lookEveryMs, closing).catch(() => undefined)
  }
}

/** Another process took the run over while this one worked on it: this one follows it instead. */
function leftToItsOwner(error: unknown): void {
  if (!KiwiError.is(error) || error.code !== 'LEASE_LOST') throw error
}

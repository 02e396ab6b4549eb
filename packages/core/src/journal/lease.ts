import type { Clock } from '../contracts/v1/clock.js'
import type { Lease, Store } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'

/** A lease is over this long after it was last renewed; an owner that is known to be dead loses it at once. */
export const leaseTtlMs = 15_000
const renewEveryMs = 4_000

/** Renews the lease until it is stopped. The signal fires with `LEASE_LOST` when that did not work in time, or someone else has it. */
export interface KeptLease extends AsyncDisposable {
  readonly signal: AbortSignal
}

export function keepLease(
  lease: Lease,
  { store, clock, signal }: { store: Store; clock: Clock; signal: AbortSignal },
): KeptLease {
  const lost = new AbortController()
  const stopped = new AbortController()
  const until = AbortSignal.any([signal, stopped.signal])
  let renewedAt = clock.now()

  const renew = async () => {
    try {
      await store.renew(lease, { nowMs: clock.now(), ttlMs: leaseTtlMs })
      renewedAt = clock.now()
    } catch (error) {
      const over = clock.now() - renewedAt > leaseTtlMs
      if (over || (KiwiError.is(error) && error.code === 'LEASE_LOST')) lost.abort(leaseLost(lease, error))
    }
  }
  const beat = async () => {
    while (!until.aborted && !lost.signal.aborted) {
      await clock.sleep(renewEveryMs, until).catch(() => undefined)
      if (!until.aborted) await renew()
    }
  }
  const beating = beat()
  return {
    signal: AbortSignal.any([signal, lost.signal]),
    async [Symbol.asyncDispose]() {
      stopped.abort()
      await beating
    },
  }
}

function leaseLost({ runId }: Lease, cause: unknown): KiwiError {
  return new KiwiError('LEASE_LOST', `run ${runId} is owned by another process now`, { cause })
}

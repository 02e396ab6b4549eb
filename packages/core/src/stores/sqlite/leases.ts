import type { DatabaseSync } from 'node:sqlite'
import type { Lease, Worker } from '../../contracts/v1/store.js'
import { KiwiError } from '../../errors/kiwi-error.js'
import { isGone } from '../../journal/worker.js'
import { parsed, type Row } from './rows.js'

/** Who may work on a scope: one row each, whose token only ever grows. */
export function leaseTable(database: DatabaseSync) {
  const byScope = database.prepare('SELECT * FROM leases WHERE scope = ?')
  const take = database.prepare(
    `INSERT INTO leases VALUES (?, 1, ?, ?, ?) ON CONFLICT (scope) DO UPDATE SET
     token = token + 1, run_id = excluded.run_id, owner = excluded.owner, expires_at = excluded.expires_at RETURNING token`,
  )
  const prolong = database.prepare('UPDATE leases SET expires_at = ? WHERE scope = ? AND token = ? AND run_id = ?')
  const clear = database.prepare(
    'UPDATE leases SET run_id = NULL, owner = NULL, expires_at = 0 WHERE scope = ? AND token = ?',
  )

  return {
    isFree: (scope: string, self: Worker, nowMs: number) => isFree(byScope.get(scope), self, nowMs),
    take(scope: string, runId: string, worker: Worker, expiresAt: number): Lease {
      const token = Number(take.get(scope, runId, JSON.stringify(worker), expiresAt)?.token)
      return { runId, scope, token, workerId: worker.id }
    },
    renew({ scope, token, runId }: Lease, expiresAt: number): void {
      if (prolong.run(expiresAt, scope, token, runId).changes === 0) throw leaseLost(runId)
    },
    /** Throws `LEASE_LOST` unless the token is the newest. */
    check({ scope, token, runId }: Lease): void {
      const row = byScope.get(scope)
      if (Number(row?.token) !== token || row?.run_id !== runId) throw leaseLost(runId)
    },
    free({ scope, token }: Lease): void {
      clear.run(scope, token)
    },
  }
}

function isFree(lease: Row | undefined, self: Worker, nowMs: number): boolean {
  if (!lease || lease.run_id === null || Number(lease.expires_at) <= nowMs) return true
  return isGone(parsed<Worker>(lease.owner), self)
}

function leaseLost(runId: string): KiwiError {
  return new KiwiError('LEASE_LOST', `run ${runId} is owned by another process now`)
}

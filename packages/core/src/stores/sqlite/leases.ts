import type { DatabaseSync } from 'node:sqlite'
import type { Worker } from '../../contracts/v1/store.js'
import { isGone } from '../../journal/worker.js'
import { parsed } from '../pack.js'
import type { LeaseTable } from '../tables.js'

export function leaseTable(database: DatabaseSync): LeaseTable {
  const byScope = database.prepare('SELECT run_id, owner, expires_at FROM leases WHERE scope = ?')
  const newest = database.prepare('SELECT 1 FROM leases WHERE scope = ? AND token = ? AND run_id = ?')
  const owners = database.prepare('SELECT DISTINCT owner FROM leases WHERE run_id IS NOT NULL AND expires_at > ?')
  const oldestFree = database.prepare(oldestFreeRun)
  const take = database.prepare(
    `INSERT INTO leases VALUES (?, 1, ?, ?, ?) ON CONFLICT (scope) DO UPDATE SET
     token = token + 1, run_id = excluded.run_id, owner = excluded.owner, expires_at = excluded.expires_at RETURNING token`,
  )
  const prolong = database.prepare('UPDATE leases SET expires_at = ? WHERE scope = ? AND token = ? AND run_id = ?')
  const clear = database.prepare(
    'UPDATE leases SET run_id = NULL, owner = NULL, expires_at = 0 WHERE scope = ? AND token = ?',
  )

  return {
    isFree(scope, self, nowMs) {
      const row = byScope.get(scope)
      if (!row || row.run_id === null || Number(row.expires_at) <= nowMs) return true
      return isGone(parsed<Worker>(row.owner), self)
    },
    oldestFree(self, nowMs) {
      const gone = owners
        .all(nowMs)
        .flatMap(({ owner }) => (isGone(parsed<Worker>(owner), self) ? [String(owner)] : []))
      const row = oldestFree.get(nowMs, JSON.stringify(gone))
      return row && { runId: String(row.run_id), scope: String(row.scope) }
    },
    take(scope, runId, worker, expiresAt) {
      const token = Number(take.get(scope, runId, JSON.stringify(worker), expiresAt)?.token)
      return { runId, scope, token, workerId: worker.id }
    },
    prolong: ({ scope, token, runId }, expiresAt) => prolong.run(expiresAt, scope, token, runId).changes !== 0,
    isNewest: ({ scope, token, runId }) => newest.get(scope, token, runId) !== undefined,
    free: ({ scope, token }) => void clear.run(scope, token),
  }
}

/** A scope is free or not for all its runs alike, so the oldest run of a free scope is also the oldest of its scope. */
export const oldestFreeRun = `SELECT runs.run_id, runs.scope FROM runs LEFT JOIN leases ON leases.scope = runs.scope
  WHERE runs.status IN ('accepted', 'running') AND (leases.run_id IS NULL OR leases.expires_at <= ?
    OR leases.owner IN (SELECT value FROM json_each(?)))
  ORDER BY runs.ordinal LIMIT 1`

import type { DatabaseSync } from 'node:sqlite'
import type { AcceptedRun, RunRow } from '../../contracts/v1/store.js'
import type { RunRequest } from '../../model/run.js'
import { parsed, type Row } from './rows.js'

/** What was asked for, and how far it is. */
export function runTable(database: DatabaseSync) {
  const insert = database.prepare(
    "INSERT INTO runs (run_id, scope, request, service, dedupe, status, accepted_at) VALUES (?, ?, ?, ?, ?, 'accepted', ?)",
  )
  const byDedupe = database.prepare('SELECT run_id FROM runs WHERE dedupe = ?')
  const byId = database.prepare('SELECT * FROM runs WHERE run_id = ?')
  const all = database.prepare('SELECT * FROM runs ORDER BY ordinal')
  const oldest = database.prepare(
    "SELECT run_id FROM runs WHERE scope = ? AND status IN ('accepted', 'running') ORDER BY ordinal LIMIT 1",
  )
  const scopes = database.prepare(
    "SELECT scope, MIN(ordinal) AS first FROM runs WHERE status IN ('accepted', 'running') GROUP BY scope ORDER BY first",
  )
  const setStatus = database.prepare('UPDATE runs SET status = ? WHERE run_id = ?')

  return {
    /** Answers the id of an earlier run with the same dedupe key, or takes this one in and answers nothing. */
    accept({ runId, scope, request, dedupe, nowMs }: AcceptedRun): string | undefined {
      const earlier = dedupe === undefined ? undefined : byDedupe.get(dedupe)
      if (earlier) return String(earlier.run_id)
      insert.run(runId, scope, JSON.stringify(request), request.service, dedupe ?? null, nowMs)
      return undefined
    },
    openScopes: () => scopes.all().map((row) => String(row.scope)),
    oldestOpen(scope: string): string | undefined {
      const row = oldest.get(scope)
      return row && String(row.run_id)
    },
    setStatus(runId: string, status: RunRow['status']): void {
      setStatus.run(status, runId)
    },
    get(runId: string): RunRow | undefined {
      const row = byId.get(runId)
      return row && toRun(row)
    },
    list: ({ service, unfinished }: { service?: string | undefined; unfinished?: boolean | undefined }): RunRow[] =>
      all
        .all()
        .map(toRun)
        .filter((run) => (service === undefined || run.request.service === service) && (!unfinished || isOpen(run))),
  }
}

function isOpen({ status }: RunRow): boolean {
  return status === 'accepted' || status === 'running'
}

function toRun(row: Row): RunRow {
  return {
    runId: String(row.run_id),
    scope: String(row.scope),
    request: parsed<RunRequest>(row.request),
    status: row.status as RunRow['status'], // only `setStatus` and `accept` write this column
    acceptedAt: Number(row.accepted_at),
    lastSeq: Number(row.last_seq),
  }
}

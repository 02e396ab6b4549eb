import type { DatabaseSync } from 'node:sqlite'
import type { RunFilter, RunRow } from '../../contracts/v1/store.js'
import type { RunRequest } from '../../model/run.js'
import { parsed } from '../pack.js'
import type { RunTable } from '../tables.js'
import type { Row } from './rows.js'

const isOpen = "status IN ('accepted', 'running')" // word for word as in the partial indices
const whole = 'SELECT runs.*, request FROM runs JOIN requests ON run = ordinal'

/** What was asked for, and how far it is. */
export function runTable(database: DatabaseSync): RunTable {
  const insert = database.prepare(
    `INSERT INTO runs (run_id, scope, service, environment, kind, dedupe, status, accepted_at)
     VALUES (?, ?, ?, ?, ?, ?, 'accepted', ?)`,
  )
  const insertRequest = database.prepare('INSERT INTO requests VALUES (?, ?)')
  const byDedupe = database.prepare('SELECT run_id FROM runs WHERE dedupe = ?')
  const byId = database.prepare(`${whole} WHERE run_id = ?`)
  const open = database.prepare(`${whole} WHERE scope = ? AND ${isOpen} ORDER BY ordinal LIMIT ?`)
  const oldest = database.prepare(`SELECT run_id FROM runs WHERE scope = ? AND ${isOpen} ORDER BY ordinal LIMIT 1`)
  const begin = database.prepare(
    "UPDATE runs SET status = 'running', started_at = coalesce(started_at, ?) WHERE run_id = ?",
  )
  const end = database.prepare('UPDATE runs SET status = ?, ended_at = ? WHERE run_id = ?')

  return {
    withDedupe(dedupe) {
      const row = byDedupe.get(dedupe)
      return row && String(row.run_id)
    },
    insert({ runId, scope, request, text, dedupe, nowMs }) {
      const { service, environment = null, kind } = request
      const { lastInsertRowid } = insert.run(runId, scope, service, environment, kind, dedupe ?? null, nowMs)
      insertRequest.run(lastInsertRowid, text)
    },
    get(runId) {
      const row = byId.get(runId)
      return row && toRun(row)
    },
    list(filter) {
      const { sql, values } = selection(filter)
      return database
        .prepare(sql)
        .all(...values)
        .map(toRun)
    },
    open: (scope, limit) => open.all(scope, limit).map(toRun),
    oldestOpen(scope) {
      const row = oldest.get(scope)
      return row && String(row.run_id)
    },
    begin: (runId, at) => void begin.run(at, runId),
    end: (runId, status, at) => void end.run(status, at, runId),
  }
}

/** Walks the index of what is named, in the order of the ordinals, so that a limit ends the walk. */
export function selection({ service, environment, kinds, unfinished, limit }: RunFilter) {
  const values: (string | number)[] = []
  const conditions: string[] = []
  const where = (condition: string, value: string) => {
    conditions.push(condition)
    values.push(value)
  }
  if (service !== undefined) where('service = ?', service)
  if (environment !== undefined) where('environment = ?', environment)
  if (kinds !== undefined) where('kind IN (SELECT value FROM json_each(?))', JSON.stringify(kinds))
  if (unfinished) conditions.push(isOpen)
  if (limit !== undefined) values.push(limit)
  const filter = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  const order = limit === undefined ? ' ORDER BY ordinal' : ' ORDER BY ordinal DESC LIMIT ?'
  return { sql: `${whole}${filter}${order}`, values }
}

function toRun(row: Row): RunRow {
  const { started_at: startedAt, ended_at: endedAt } = row
  return {
    runId: String(row.run_id),
    scope: String(row.scope),
    request: parsed<RunRequest>(row.request),
    status: row.status as RunRow['status'], // only this file writes the column
    acceptedAt: Number(row.accepted_at),
    ...(startedAt !== null && { startedAt: Number(startedAt) }),
    ...(endedAt !== null && { endedAt: Number(endedAt) }),
    lastSeq: Number(row.last_seq),
  }
}

import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { Json } from '../contracts/v1/json.js'
import type { Batch, DocumentWrite, Lease, RunRow, StepRecord, Store, Worker } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { EventBody, Stage, StoredEvent } from '../events/event.js'
import { isGone } from '../journal/worker.js'
import type { Command, RunRequest } from '../model/run.js'
import { groupCommit } from './group-commit.js'
import { pragmas, schema, schemaVersion } from './schema.js'

/**
 * A store in one SQLite file, for the processes of one host (`node:sqlite`, WAL, fully synced).
 * Throws `STORE_FAILED` when the file cannot be opened or a newer version of Kiwi wrote it.
 * @example const store = sqliteStore({ path: '/var/lib/kiwi/kiwi.sqlite' })
 */
export function sqliteStore({ path }: { readonly path: string }): Store {
  const database = openDatabase(path)
  const group = groupCommit(database)
  const write = <T>(work: () => T): Promise<T> =>
    group.run(work).catch((error: unknown) => Promise.reject(storeError(path, error)))
  const tables = openTables(database)
  return {
    contract: 'store/v1',
    accept: (run) => write(() => tables.accept(run)),
    claim: (worker, filter) => write(() => tables.claim(worker, filter)),
    renew: (lease, { nowMs, ttlMs }) => write(() => tables.renew(lease, nowMs + ttlMs)),
    giveBack: (lease) => write(() => tables.giveBack(lease)),
    commit: (lease, batch) => write(() => tables.commit(lease, batch)),
    command: (runId, command, nowMs) => write(() => tables.command(runId, command, nowMs)),
    commands: async (runId) => tables.commands(runId),
    run: async (runId) => tables.run(runId),
    runs: async (filter) => tables.runs(filter),
    steps: async (runId) => tables.steps(runId),
    read: async (runId, after) => tables.read(runId, after),
    documents: {
      get: async (kind, key) => tables.document(kind, key),
      put: (document) => write(() => tables.putDocument(document)),
      list: async (kind, prefix) => tables.documentsOf(kind, prefix),
    },
    async close() {
      group.flush()
      if (database.isOpen) database.close()
    },
  }
}

function openDatabase(path: string): DatabaseSync {
  try {
    mkdirSync(dirname(path), { recursive: true })
    const database = new (loadSqlite().DatabaseSync)(path)
    database.exec(pragmas)
    database.exec(schema)
    database.prepare("INSERT OR IGNORE INTO meta VALUES ('schema', ?)").run(String(schemaVersion))
    const found = Number(database.prepare("SELECT value FROM meta WHERE key = 'schema'").get()?.value)
    if (found > schemaVersion) throw new Error(`it has schema ${found}; this version knows ${schemaVersion}`)
    return database
  } catch (error) {
    throw storeError(path, error)
  }
}

/** Loaded on first use, and without the warning that Node 22 and 24 print for it: it would be the first line every user reads. */
function loadSqlite(): typeof import('node:sqlite') {
  const { emitWarning } = process
  process.emitWarning = () => undefined
  try {
    return createRequire(import.meta.url)('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}

function storeError(path: string, error: unknown): KiwiError {
  if (KiwiError.is(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  if (message.includes('database or disk is full'))
    return new KiwiError('DISK_FULL', `the store ${path} cannot grow`, { cause: error })
  return new KiwiError('STORE_FAILED', `the store ${path}: ${message}`, { cause: error, effect: 'unknown' })
}

type Row = Record<string, unknown>

/** The statements, synchronous; `sqliteStore` runs those that write inside a group commit. */
function openTables(database: DatabaseSync) {
  const prepare = (sql: string) => database.prepare(sql)
  const insertRun = prepare(
    "INSERT INTO runs (run_id, scope, request, service, dedupe, status, accepted_at) VALUES (?, ?, ?, ?, ?, 'accepted', ?)",
  )
  const byDedupe = prepare('SELECT run_id FROM runs WHERE dedupe = ?')
  const oldestOpen = prepare(
    "SELECT run_id, scope FROM runs WHERE scope = ? AND status IN ('accepted', 'running') ORDER BY ordinal LIMIT 1",
  )
  const openScopes = prepare(
    "SELECT scope, MIN(ordinal) AS first FROM runs WHERE status IN ('accepted', 'running') GROUP BY scope ORDER BY first",
  )
  const leaseOf = prepare('SELECT * FROM leases WHERE scope = ?')
  const takeLease = prepare(
    'INSERT INTO leases VALUES (?, 1, ?, ?, ?) ON CONFLICT (scope) DO UPDATE SET token = token + 1, run_id = excluded.run_id, owner = excluded.owner, expires_at = excluded.expires_at RETURNING token',
  )
  const renewLease = prepare('UPDATE leases SET expires_at = ? WHERE scope = ? AND token = ? AND run_id = ?')
  const freeLease = prepare(
    'UPDATE leases SET run_id = NULL, owner = NULL, expires_at = 0 WHERE scope = ? AND token = ?',
  )
  const setStatus = prepare('UPDATE runs SET status = ? WHERE run_id = ?')
  const nextSeq = prepare('UPDATE runs SET last_seq = last_seq + 1 WHERE run_id = ? RETURNING last_seq')
  const lastSeq = prepare('SELECT last_seq FROM runs WHERE run_id = ?')
  const insertEvent = prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?)')
  const putStep = prepare(
    'INSERT INTO steps VALUES (?, ?, ?) ON CONFLICT (run_id, name) DO UPDATE SET record = excluded.record',
  )
  const insertCommand = prepare('INSERT INTO commands (run_id, at, command) VALUES (?, ?, ?)')
  const selectCommands = prepare('SELECT command FROM commands WHERE run_id = ? ORDER BY ordinal')
  const selectRun = prepare('SELECT * FROM runs WHERE run_id = ?')
  const selectRuns = prepare('SELECT * FROM runs ORDER BY ordinal')
  const selectSteps = prepare('SELECT record FROM steps WHERE run_id = ?')
  const selectEvents = prepare('SELECT * FROM events WHERE run_id = ? AND seq > ? ORDER BY seq')
  const selectDocument = prepare('SELECT value FROM documents WHERE kind = ? AND key = ?')
  const upsertDocument = prepare(
    'INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value',
  )
  const insertDocument = prepare('INSERT OR IGNORE INTO documents VALUES (?, ?, ?)')
  const selectDocuments = prepare(
    'SELECT key, value FROM documents WHERE kind = ? AND substr(key, 1, length(?)) = ? ORDER BY key',
  )

  const addEvent = (runId: string, event: { at: number; stage?: Stage | undefined; body: EventBody }): number => {
    const seq = Number(nextSeq.get(runId)?.last_seq)
    insertEvent.run(runId, seq, event.at, event.stage ?? null, JSON.stringify(event.body))
    return seq
  }
  const putDocument = ({ kind, key, value, once }: DocumentWrite): void => {
    const statement = once ? insertDocument : upsertDocument
    statement.run(kind, key, JSON.stringify(value))
  }
  const holds = ({ scope, token, runId }: Lease): void => {
    const row = leaseOf.get(scope)
    if (Number(row?.token) !== token || row?.run_id !== runId) throw leaseLost(runId)
  }

  return {
    accept(run: Parameters<Store['accept']>[0]) {
      const earlier = run.dedupe === undefined ? undefined : byDedupe.get(run.dedupe)
      if (earlier) return { runId: String(earlier.run_id), accepted: false }
      insertRun.run(
        run.runId,
        run.scope,
        JSON.stringify(run.request),
        run.request.service,
        run.dedupe ?? null,
        run.nowMs,
      )
      addEvent(run.runId, { at: run.nowMs, body: { type: 'run-accepted', request: run.request } })
      return { runId: run.runId, accepted: true }
    },
    claim(
      worker: Worker,
      { scope, nowMs, ttlMs }: { scope?: string | undefined; nowMs: number; ttlMs: number },
    ): Lease | undefined {
      const scopes = scope === undefined ? openScopes.all().map((row) => String(row.scope)) : [scope]
      const free = scopes.find((one) => oldestOpen.get(one) && isFree(leaseOf.get(one), worker, nowMs))
      const run = free === undefined ? undefined : oldestOpen.get(free)
      if (free === undefined || run === undefined) return undefined
      const runId = String(run.run_id)
      const token = Number(takeLease.get(free, runId, JSON.stringify(worker), nowMs + ttlMs)?.token)
      setStatus.run('running', runId)
      return { runId, scope: free, token, workerId: worker.id }
    },
    renew(lease: Lease, expiresAt: number): void {
      if (renewLease.run(expiresAt, lease.scope, lease.token, lease.runId).changes === 0) throw leaseLost(lease.runId)
    },
    giveBack({ scope, token }: Lease): void {
      freeLease.run(scope, token)
    },
    commit(lease: Lease, batch: Batch): { seq: number } {
      holds(lease)
      for (const step of batch.steps ?? []) putStep.run(step.runId, step.name, JSON.stringify(step))
      for (const document of batch.documents ?? []) putDocument(document)
      for (const event of batch.events ?? []) addEvent(lease.runId, event)
      if (batch.end) {
        setStatus.run(batch.end.status, lease.runId)
        freeLease.run(lease.scope, lease.token)
      }
      return { seq: Number(lastSeq.get(lease.runId)?.last_seq) }
    },
    command(runId: string, command: Command, nowMs: number): void {
      insertCommand.run(runId, nowMs, JSON.stringify(command))
    },
    commands: (runId: string): Command[] => selectCommands.all(runId).map((row) => parsed<Command>(row.command)),
    run: (runId: string): RunRow | undefined => optional(selectRun.get(runId), toRun),
    runs({ service, unfinished }: Parameters<Store['runs']>[0]): RunRow[] {
      const open = (run: RunRow) => run.status === 'accepted' || run.status === 'running'
      const rows = selectRuns.all().map(toRun)
      return rows.filter(
        (run) => (service === undefined || run.request.service === service) && (!unfinished || open(run)),
      )
    },
    steps: (runId: string): StepRecord[] => selectSteps.all(runId).map((row) => parsed<StepRecord>(row.record)),
    read: (runId: string, after: number): StoredEvent[] => selectEvents.all(runId, after).map(toEvent),
    document: (kind: string, key: string): Json | undefined =>
      optional(selectDocument.get(kind, key), (row) => parsed<Json>(row.value)),
    putDocument,
    documentsOf: (kind: string, prefix: string) =>
      selectDocuments
        .all(kind, prefix, prefix)
        .map((row) => ({ key: String(row.key), value: parsed<Json>(row.value) })),
  }
}

function isFree(lease: Row | undefined, self: Worker, nowMs: number): boolean {
  if (!lease || lease.run_id === null || Number(lease.expires_at) <= nowMs) return true
  return isGone(parsed<Worker>(lease.owner), self)
}

function toRun(row: Row): RunRow {
  return {
    runId: String(row.run_id),
    scope: String(row.scope),
    request: parsed<RunRequest>(row.request),
    status: row.status as RunRow['status'], // only `setStatus` and the schema write this column
    acceptedAt: Number(row.accepted_at),
    lastSeq: Number(row.last_seq),
  }
}

function toEvent(row: Row): StoredEvent {
  const stage = row.stage === null ? {} : { stage: row.stage as Stage } // only `addEvent` writes this column
  return {
    v: 1,
    runId: String(row.run_id),
    seq: Number(row.seq),
    at: Number(row.at),
    ...stage,
    ...parsed<EventBody>(row.body),
  }
}

function leaseLost(runId: string): KiwiError {
  return new KiwiError('LEASE_LOST', `run ${runId} is owned by another process now`)
}

/** The store wrote it, so it has the type it was written with. */
function parsed<T>(column: unknown): T {
  return JSON.parse(String(column))
}

function optional<A, B>(value: A | undefined, convert: (value: A) => B): B | undefined {
  return value === undefined ? undefined : convert(value)
}

import type { DatabaseSync } from 'node:sqlite'
import type { AcceptedRun, Batch, Lease, Store, Worker } from '../../contracts/v1/store.js'
import { documentTable } from './documents.js'
import { groupCommit } from './group-commit.js'
import { journalTables } from './journal.js'
import { leaseTable } from './leases.js'
import { openDatabase, storeError } from './open.js'
import { runTable } from './runs.js'

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
  const read = async <T>(work: () => T): Promise<T> => {
    try {
      return work()
    } catch (error) {
      throw storeError(path, error)
    }
  }
  const { runs, leases, journal, documents, accept, claim, commit } = openTables(database)
  return {
    contract: 'store/v1',
    accept: (run) => write(() => accept(run)),
    claim: (worker, filter) => write(() => claim(worker, filter)),
    renew: (lease, { nowMs, ttlMs }) => write(() => leases.renew(lease, nowMs + ttlMs)),
    giveBack: (lease) => write(() => leases.free(lease)),
    commit: (lease, batch) => write(() => commit(lease, batch)),
    command: (runId, command, nowMs) => write(() => journal.addCommand(runId, command, nowMs)),
    commands: (runId) => read(() => journal.commands(runId)),
    run: (runId) => read(() => runs.get(runId)),
    runs: (filter) => read(() => runs.list(filter)),
    steps: (runId) => read(() => journal.steps(runId)),
    read: (runId, after) => read(() => journal.read(runId, after)),
    documents: {
      get: (kind, key) => read(() => documents.get(kind, key)),
      put: (document) => write(() => documents.put(document)),
      list: (kind, prefix) => read(() => documents.list(kind, prefix)),
    },
    async close() {
      group.flush()
      if (database.isOpen) database.close()
    },
  }
}

/** The tables, and what touches several of them at once; all synchronous, to be run inside a group commit where it writes. */
function openTables(database: DatabaseSync) {
  const runs = runTable(database)
  const leases = leaseTable(database)
  const journal = journalTables(database)
  const documents = documentTable(database)

  function accept(run: AcceptedRun): { runId: string; accepted: boolean } {
    const earlier = runs.accept(run)
    if (earlier !== undefined) return { runId: earlier, accepted: false }
    journal.addEvent(run.runId, { at: run.nowMs, body: { type: 'run-accepted', request: run.request } })
    return { runId: run.runId, accepted: true }
  }

  function claim(worker: Worker, { scope, nowMs, ttlMs }: Parameters<Store['claim']>[1]): Lease | undefined {
    const scopes = scope === undefined ? runs.openScopes() : [scope]
    for (const one of scopes) {
      const runId = runs.oldestOpen(one)
      if (runId === undefined || !leases.isFree(one, worker, nowMs)) continue
      runs.setStatus(runId, 'running')
      return leases.take(one, runId, worker, nowMs + ttlMs)
    }
    return undefined
  }

  function commit(lease: Lease, { steps = [], documents: writes = [], events = [], end }: Batch): { seq: number } {
    leases.check(lease)
    for (const step of steps) journal.putStep(step)
    for (const write of writes) documents.put(write)
    for (const event of events) journal.addEvent(lease.runId, event)
    if (end) {
      runs.setStatus(lease.runId, end.status)
      leases.free(lease)
    }
    return { seq: journal.lastSeq(lease.runId) }
  }

  return { runs, leases, journal, documents, accept, claim, commit }
}

import type { Store } from '../contracts/v1/store.js'
import { packBatch, packDocument, packRun } from './pack.js'
import { rulesOf } from './rules.js'
import type { Tables } from './tables.js'

/** How a store runs its work: `write` as one transaction, durable when it resolves. Both reject with a `KiwiError`. */
export interface Access {
  /** `rows`: about how many it writes. */
  write<T>(work: () => T, rows?: number): Promise<T>
  read<T>(work: () => T): Promise<T>
  close(): Promise<void>
}

const mostRead = 1_000

/** The contract, on tables and a way to run transactions on them. */
export function storeOf(tables: Tables, { write, read, close }: Access): Store {
  const { runs, leases, journal, documents } = tables
  const rules = rulesOf(tables)
  return {
    contract: 'store/v1',
    async accept(run) {
      const packed = packRun(run)
      return write(() => rules.accept(packed))
    },
    claim: (worker, filter) => write(() => rules.claim(worker, filter)),
    renew: (lease, { nowMs, ttlMs }) => write(() => rules.renew(lease, nowMs + ttlMs)),
    giveBack: (lease) => write(() => leases.free(lease)),
    async commit(lease, batch) {
      const packed = packBatch(batch)
      return write(() => rules.commit(lease, packed), 1 + packed.events.length)
    },
    command: (runId, command, nowMs) => write(() => rules.command(runId, command, nowMs)),
    commands: (runId) => read(() => journal.commands(runId)),
    run: (runId) => read(() => runs.get(runId)),
    runs: (filter) => read(() => runs.list(filter)),
    steps: (runId) => read(() => journal.steps(runId)),
    read: (runId, after, limit = mostRead) => read(() => journal.read(runId, after, limit)),
    feed: (after, limit) => read(() => journal.feed(after, limit)),
    count: (counter) => write(() => documents.count(counter)),
    forget: (runId) => write(() => rules.forget(runId)),
    documents: {
      get: (kind, key) => read(() => documents.get(kind, key)),
      async put(document) {
        const packed = packDocument(document)
        return write(() => documents.put(packed))
      },
      remove: (kind, key) => write(() => documents.remove(kind, key)),
      list: (kind, prefix) => read(() => documents.list(kind, prefix)),
    },
    close,
  }
}

import type { DatabaseSync } from 'node:sqlite'
import type { Store } from '../../contracts/v1/store.js'
import { storeOf } from '../store-of.js'
import { documentTable } from './documents.js'
import { groupCommit } from './group-commit.js'
import { journalTables } from './journal.js'
import { leaseTable } from './leases.js'
import { runTable } from './runs.js'
import { storeError } from './store-error.js'
import { walFile } from './wal-file.js'

/** The store on a database that is open and has today's tables; closes it with itself. `path` is for errors. */
export function storeOn(database: DatabaseSync, path: string): Store {
  const wal = walFile(database)
  const group = groupCommit({ database, sync: wal.sync, toError: (error, effect) => storeError(path, error, effect) })
  const tables = {
    runs: runTable(database),
    leases: leaseTable(database),
    journal: journalTables(database),
    documents: documentTable(database),
  }
  return storeOf(tables, {
    write: group.run,
    async read(work) {
      try {
        return work()
      } catch (error) {
        throw storeError(path, error)
      }
    },
    async close() {
      await group.drained()
      if (!database.isOpen) return
      database.close()
      wal.close()
    },
  })
}

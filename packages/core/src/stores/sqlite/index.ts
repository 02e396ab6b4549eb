import type { Store } from '../../contracts/v1/store.js'
import { storeOf } from '../store-of.js'
import { documentTable } from './documents.js'
import { groupCommit } from './group-commit.js'
import { journalTables } from './journal.js'
import { leaseTable } from './leases.js'
import { openDatabase } from './open.js'
import { runTable } from './runs.js'
import { storeError } from './store-error.js'

/**
 * A store in one SQLite file, for the processes of one host (`node:sqlite`, WAL, fully synced). A file of an earlier version of Kiwi is
 * brought up to this one. Throws `STORE_FAILED` when the file cannot be opened or a newer version of Kiwi wrote it.
 * @example const store = sqliteStore({ path: '/var/lib/kiwi/kiwi.sqlite' })
 */
export function sqliteStore({ path }: { readonly path: string }): Store {
  const database = openDatabase(path)
  const group = groupCommit(database, (error, effect) => storeError(path, error, effect))
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
      group.flush()
      if (database.isOpen) database.close()
    },
  })
}

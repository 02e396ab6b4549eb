import type { Store } from '../../contracts/v1/store.js'
import { KiwiError } from '../../errors/kiwi-error.js'
import { storeOf } from '../store-of.js'
import { memoryDocuments } from './documents.js'
import { memoryJournal } from './journal.js'
import { memoryLeases } from './leases.js'
import { memoryRuns } from './runs.js'

/**
 * A store in the memory of this process, for tests and scripts. Nothing in it outlives the process: after a crash there is no run to resume, no
 * history to roll back to, and build numbers begin at 1 again.
 */
export function memoryStore(): Store {
  const runs = memoryRuns()
  const tables = { runs, leases: memoryLeases(runs), journal: memoryJournal(runs), documents: memoryDocuments() }
  let closed = false
  const work = async <T>(run: () => T): Promise<T> => {
    if (closed) throw new KiwiError('STORE_FAILED', 'the store in memory is closed')
    return run()
  }
  return storeOf(tables, {
    write: work, // one transaction by itself: it is synchronous, and the rules refuse before they change anything
    read: work,
    async close() {
      closed = true
    },
  })
}

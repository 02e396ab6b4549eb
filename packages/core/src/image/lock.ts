import type { DatabaseSync } from 'node:sqlite'
import { systemClock } from '../clock.js'
import { loadSqlite } from '../stores/sqlite/load.js'

/** Work in progress in this process, by file: a lock of the kernel is tried only once its predecessor here is done. */
const queues = new Map<string, Promise<unknown>>()

/**
 * Runs `work` while no other call, in this process or another, holds the file. The lock is one of the kernel on an SQLite file: it goes
 * with the process that has it, so a crash leaves nothing to clean up. Rejects with the signal's reason when that fires while it waits.
 */
export async function withLock<T>(file: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const before = queues.get(file)
  const own = (async () => {
    await before?.catch(() => undefined)
    using _lock = await acquire(file, signal)
    return await work() // before the lock is given back
  })()
  queues.set(file, own)
  try {
    return await own
  } finally {
    if (queues.get(file) === own) queues.delete(file)
  }
}

const lookAgainMs = 4

async function acquire(file: string, signal: AbortSignal): Promise<Disposable> {
  const { DatabaseSync } = loadSqlite()
  for (;;) {
    signal.throwIfAborted()
    const database = new DatabaseSync(file)
    if (hasLocked(database)) return { [Symbol.dispose]: () => database.close() }
    await systemClock.sleep(lookAgainMs, signal)
  }
}

function hasLocked(database: DatabaseSync): boolean {
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    database.close()
    if (error instanceof Error && /locked|busy/i.test(error.message)) return false
    throw error
  }
}

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { loadSqlite } from './load.js'
import { migrate } from './migrate.js'
import { isBusy, storeError } from './store-error.js'

/** A statement waits so long for another process before it fails as busy. Writes are tried again: group-commit.ts. */
const busyMs = 100

/** Opening waits longer: another process may be changing the tables. */
const openAttempts = 100

/** Opens the file, making folder and tables where they are missing. Throws `STORE_FAILED` for one that it cannot use, saying why. */
export function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    mkdirSync(dirname(path), { recursive: true })
    database = new (loadSqlite().DatabaseSync)(path, { timeout: busyMs, enableForeignKeyConstraints: false })
    prepare(database)
    return database
  } catch (error) {
    if (database?.isOpen) database.close()
    throw storeError(path, error)
  }
}

/** SQLite does not wait for others when it changes the journal's mode, so processes that open a new file together have to. */
function prepare(database: DatabaseSync): void {
  for (let attempt = 1; ; attempt += 1) {
    try {
      database.exec('PRAGMA journal_mode = WAL')
      migrate(database)
      database.exec('PRAGMA synchronous = NORMAL') // a commit is synced by wal-file.ts, off this thread
      return
    } catch (error) {
      if (!isBusy(error) || attempt === openAttempts) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    }
  }
}

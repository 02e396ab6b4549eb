import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { KiwiError } from '../../errors/kiwi-error.js'
import { pragmas, schema, schemaVersion } from './schema.js'

/** Opens the file, making folder and tables where they are missing. Throws `STORE_FAILED` for one that a newer version wrote. */
export function openDatabase(path: string): DatabaseSync {
  try {
    mkdirSync(dirname(path), { recursive: true })
    const database = new (loadSqlite().DatabaseSync)(path, { timeout: 5_000 })
    enterWal(database)
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

/** SQLite does not wait for others when it changes the journal's mode, so processes that open a new file together have to. */
function enterWal(database: DatabaseSync): void {
  for (let attempt = 1; ; attempt += 1) {
    try {
      database.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      const busy = error instanceof Error && 'errcode' in error && error.errcode === 5
      if (!busy || attempt === 100) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    }
  }
}

export function storeError(path: string, error: unknown): KiwiError {
  if (KiwiError.is(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  if (message.includes('database or disk is full'))
    return new KiwiError('DISK_FULL', `the store ${path} cannot grow`, { cause: error })
  return new KiwiError('STORE_FAILED', `the store ${path}: ${message}`, { cause: error, effect: 'unknown' })
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

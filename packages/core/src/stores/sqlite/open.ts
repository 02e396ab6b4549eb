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

import { closeSync, fdatasync, openSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'

const syncData = promisify(fdatasync)

export interface WalFile {
  /** Resolves when everything committed so far is on the disk. */
  sync(): Promise<void>
  close(): void
}

/**
 * The write-ahead log that every commit goes to. With `synchronous = NORMAL` SQLite syncs it only where a checkpoint needs it, and keeps the
 * database sound after a power cut, without the last commits; synced here, on another thread, before a promise resolves, they are there too. SQLite
 * would do that inside the commit, and stop the host's event loop for as long as the disk takes. It takes no locks on this file, so that
 * closing it here releases none, and keeps it as long as a connection is open.
 */
export function walFile(database: DatabaseSync): WalFile {
  const file = openSync(`${database.location()}-wal`, 'r+')
  return { sync: () => syncData(file), close: () => closeSync(file) }
}

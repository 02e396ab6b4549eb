import type { DatabaseSync } from 'node:sqlite'

interface Waiting {
  readonly write: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * Runs writes that wait at the same time in one transaction, so that they share one sync of the disk.
 * A write that throws is undone alone; the others stand. A promise resolves after the commit, in the order of the calls.
 */
export interface GroupCommit {
  run<T>(write: () => T): Promise<T>
  /** Commits what waits, now. */
  flush(): void
}

export function groupCommit(database: DatabaseSync): GroupCommit {
  let waiting: Waiting[] = []
  const flush = () => {
    const batch = waiting
    waiting = []
    if (batch.length > 0) commitTogether(database, batch)
  }
  return {
    flush,
    run<T>(write: () => T) {
      if (waiting.length === 0) setImmediate(flush)
      return new Promise<T>((resolve, reject) => {
        waiting.push({ write, resolve: (value) => resolve(value as T), reject }) // `value` is what this very `write` returned
      })
    },
  }
}

function commitTogether(database: DatabaseSync, batch: readonly Waiting[]): void {
  const settle: (() => void)[] = []
  try {
    database.exec('BEGIN IMMEDIATE')
    for (const one of batch) settle.push(attempt(database, one))
    database.exec('COMMIT')
  } catch (error) {
    undo(database)
    for (const { reject } of batch) reject(error)
    return
  }
  for (const done of settle) done()
}

/** What counts is the first error; nothing may escape from here into the event loop of the host. */
function undo(database: DatabaseSync): void {
  try {
    if (database.isOpen && database.isTransaction) database.exec('ROLLBACK')
  } catch {
    // the transaction is gone with its connection
  }
}

function attempt(database: DatabaseSync, { write, resolve, reject }: Waiting): () => void {
  database.exec('SAVEPOINT one')
  try {
    const value = write()
    database.exec('RELEASE one')
    return () => resolve(value)
  } catch (error) {
    database.exec('ROLLBACK TO one; RELEASE one')
    return () => reject(error)
  }
}

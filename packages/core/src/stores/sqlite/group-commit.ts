import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { type Effect, KiwiError } from '../../errors/kiwi-error.js'
import { isBusy } from './store-error.js'

interface Waiting {
  readonly write: () => unknown
  readonly rows: number
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * Runs writes that wait at the same time in one transaction, so that they share one sync of the disk. One that throws a `KiwiError` must not have
 * changed anything; one that throws anything else is undone alone, and the others stand. A promise resolves after the commit, in the order of
 * the calls.
 */
export interface GroupCommit {
  /** `rows`: about how many it writes. */
  run<T>(write: () => T, rows?: number): Promise<T>
  /** Commits what waits, now. */
  flush(): void
}

/** A transaction takes in writes up to so many rows, so that the first one does not wait for the thousandth. */
const mostRows = 1_000

/** While another process has the file locked, a group is tried so often; the host's event loop goes on in between. */
const mostAttempts = 50

export function groupCommit(
  database: DatabaseSync,
  toError: (error: unknown, effect: Effect) => KiwiError,
): GroupCommit {
  const transaction = transactionOf(database)
  let waiting: Waiting[] = []
  let scheduled = false
  let attempts = 0

  const schedule = () => {
    if (scheduled) return
    scheduled = true
    setImmediate(commitNext)
  }
  const commitNext = () => {
    scheduled = false
    const batch = nextBatch()
    if (batch.length === 0) return
    const failure = transaction(batch)
    if (failure && isBusy(failure.error) && attempts < mostAttempts) {
      attempts += 1
      waiting = [...batch, ...waiting]
    } else {
      attempts = 0
      if (failure) fail(batch, failure)
    }
    if (waiting.length > 0) schedule()
  }
  const nextBatch = (): readonly Waiting[] => {
    let [rows, end] = [0, 0]
    for (const one of waiting) {
      rows += one.rows
      if (end > 0 && rows > mostRows) break
      end += 1
    }
    return waiting.splice(0, end)
  }
  /** Not the one that failed but its neighbours decide that each is tried by itself. */
  const fail = (batch: readonly Waiting[], { error, at }: Failure) => {
    if (at === 'write' && batch.length > 1) for (const one of batch) failAlone(one, transaction([one]))
    else for (const one of batch) failAlone(one, { error, at })
  }
  const failAlone = ({ reject }: Waiting, failure: Failure | undefined) => {
    if (failure) reject(toError(failure.error, failure.at === 'commit' ? 'unknown' : 'none'))
  }
  return {
    flush() {
      while (waiting.length > 0) commitNext()
    },
    run<T>(write: () => T, rows = 1) {
      return new Promise<T>((resolve, reject) => {
        waiting.push({ write, rows, resolve: (value) => resolve(value as T), reject }) // `value` is what this very `write` returned
        schedule()
      })
    },
  }
}

interface Failure {
  readonly error: unknown
  readonly at: 'begin' | 'write' | 'commit'
}

/** Runs the writes in one transaction and settles their promises; answers why nothing of it was done, and then settles none. */
function transactionOf(database: DatabaseSync): (batch: readonly Waiting[]) => Failure | undefined {
  const [begin, commit] = ['BEGIN IMMEDIATE', 'COMMIT'].map((sql) => database.prepare(sql)) as [
    StatementSync,
    StatementSync,
  ] // one each
  return (batch) => {
    let at: Failure['at'] = 'begin'
    const settle: (() => void)[] = []
    try {
      begin.run()
      at = 'write'
      for (const one of batch) settle.push(attempt(one))
      at = 'commit'
      commit.run()
    } catch (error) {
      undo(database)
      return { error, at }
    }
    for (const done of settle) done()
    return undefined
  }
}

function attempt({ write, resolve, reject }: Waiting): () => void {
  try {
    const value = write()
    return () => resolve(value)
  } catch (error) {
    if (!KiwiError.is(error)) throw error
    return () => reject(error)
  }
}

/** What counts is the first error; nothing may escape from here into the event loop of the host. */
function undo(database: DatabaseSync): void {
  try {
    if (database.isOpen && database.isTransaction) database.exec('ROLLBACK')
  } catch {
    // the transaction is gone with its connection
  }
}

import type { DatabaseSync } from 'node:sqlite'
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
 * changed anything; one that throws anything else is undone alone, and the others stand. A promise resolves when its write is on the disk, in
 * the order of the calls.
 */
export interface GroupCommit {
  /** `rows`: about how many it writes. */
  run<T>(write: () => T, rows?: number): Promise<T>
  /** Resolves when everything that was asked is done. */
  drained(): Promise<void>
}

export interface GroupCommitOptions {
  readonly database: DatabaseSync
  /** Brings what was committed to the disk. When it fails once, nobody knows what is there: every later write is refused. */
  readonly sync: () => Promise<void>
  readonly toError: (error: unknown, effect: Effect) => KiwiError
}

/** A transaction takes in writes up to so many rows, so that the first one does not wait for the thousandth. */
const mostRows = 1_000

/** While another process has the file locked, a group is tried so often; the host's event loop goes on in between. */
const mostAttempts = 50

export function groupCommit({ database, sync, toError }: GroupCommitOptions): GroupCommit {
  const transaction = transactionOf(database)
  const waiting: Waiting[] = []
  let working: Promise<void> | undefined
  let broken: KiwiError | undefined

  const work = async () => {
    while (waiting.length > 0) {
      await turn() // what is asked in one go, or in answer to the last group, shares the next one
      const batch = takeGroup(waiting)
      const { settled, failure } = await commit(batch)
      if (failure?.at === 'write' && batch.length > 1) await commitEach(batch)
      else if (failure) for (const one of batch) one.reject(errorOf(failure))
      else await settle(settled)
    }
    working = undefined
  }
  const commit = async (batch: readonly Waiting[]): Promise<Outcome> => {
    for (let attempt = 1; ; attempt += 1) {
      const outcome = transaction(batch)
      if (!outcome.failure || !isBusy(outcome.failure.error) || attempt === mostAttempts) return outcome
      await turn()
    }
  }
  const commitEach = async (batch: readonly Waiting[]) => {
    for (const one of batch) {
      const { settled, failure } = await commit([one])
      if (failure) one.reject(errorOf(failure))
      else await settle(settled)
    }
  }
  const settle = async (settled: readonly Settled[]) => {
    try {
      await sync()
      for (const { done } of settled) done()
    } catch (error) {
      broken = toError(error, 'unknown')
      for (const { reject } of [...settled, ...waiting.splice(0)]) reject(broken)
    }
  }
  const errorOf = ({ error, at }: Failure) => toError(error, at === 'commit' ? 'unknown' : 'none')

  return {
    async drained() {
      while (working) await working
    },
    run<T>(write: () => T, rows = 1) {
      if (broken) return Promise.reject(broken)
      return new Promise<T>((resolve, reject) => {
        waiting.push({ write, rows, resolve: (value) => resolve(value as T), reject }) // `value` is what this very `write` returned
        working ??= work()
      })
    },
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function takeGroup(waiting: Waiting[]): readonly Waiting[] {
  let [rows, end] = [0, 0]
  for (const one of waiting) {
    rows += one.rows
    if (end > 0 && rows > mostRows) break
    end += 1
  }
  return waiting.splice(0, end)
}

interface Settled {
  readonly done: () => void
  readonly reject: (error: unknown) => void
}

interface Failure {
  readonly error: unknown
  readonly at: 'begin' | 'write' | 'commit'
}

interface Outcome {
  readonly settled: readonly Settled[]
  /** Why nothing of it was done. */
  readonly failure?: Failure
}

/** Runs the writes in one transaction. */
function transactionOf(database: DatabaseSync): (batch: readonly Waiting[]) => Outcome {
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  return (batch) => {
    let at: Failure['at'] = 'begin'
    const settled: Settled[] = []
    try {
      begin.run()
      at = 'write'
      for (const one of batch) settled.push({ done: attempt(one), reject: one.reject })
      at = 'commit'
      commit.run()
      return { settled }
    } catch (error) {
      undo(database)
      return { settled: [], failure: { error, at } }
    }
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

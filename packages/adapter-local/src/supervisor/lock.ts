import { DatabaseSync } from 'node:sqlite'

/**
 * Holds the environment for this process until it ends. The lock is one of the kernel on an SQLite file: it goes with the process,
 * so a crash leaves nothing to clean up, and no two supervisors ever own one environment.
 * @returns undefined when another process holds it
 */
export function lockExclusively(file: string): Disposable | undefined {
  const database = new DatabaseSync(file)
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (error instanceof Error && /locked|busy/i.test(error.message)) return undefined
    throw error
  }
  return { [Symbol.dispose]: () => database.close() }
}

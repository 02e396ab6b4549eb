import { type Effect, KiwiError } from '../../errors/kiwi-error.js'

/** SQLite's primary result codes: https://www.sqlite.org/rescode.html */
const busy = 5
const full = 13

/** Another process was writing for longer than a statement waits. */
export function isBusy(error: unknown): boolean {
  return resultCode(error) === busy
}

/** What went wrong with the file, as an error of ours. `effect` is `unknown` only where the commit itself failed. */
export function storeError(path: string, error: unknown, effect: Effect = 'none'): KiwiError {
  if (KiwiError.is(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  if (resultCode(error) === full)
    return new KiwiError('DISK_FULL', `the store ${path} cannot grow`, { cause: error, effect })
  if (isBusy(error))
    return new KiwiError('STORE_FAILED', `the store ${path} is locked by another process`, {
      cause: error,
      effect,
      retryable: true,
      hint: 'Find out which process keeps the file locked (a backup, a database browser) and let it end.',
    })
  return new KiwiError('STORE_FAILED', `the store ${path}: ${message}`, { cause: error, effect })
}

function resultCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined
}

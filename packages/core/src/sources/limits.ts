import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../clock.js'
import type { Clock } from '../contracts/v1/clock.js'
import { KiwiError } from '../errors/kiwi-error.js'

export interface SourceLimitOptions {
  /** For one call (`resolve`, `open`, …); each submodule has as long again. Default 15 minutes. */
  readonly timeoutMs?: number | undefined
  /** For what one fetch brings, and for all files of a tree together. Default 10 GiB. */
  readonly maxBytes?: number | undefined
  /** Files and links in a tree, those of its submodules included. Default 500,000. */
  readonly maxFiles?: number | undefined
  readonly clock?: Clock | undefined
}

export interface SourceLimits {
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly maxFiles: number
  readonly clock: Clock
}

/** What a tree may still hold; shared by a repository and its submodules. */
export interface Budget {
  spend(more: { readonly files: number; readonly bytes: number }): void
}

/** A signal that also fires at the deadline, and a way to end the work for a reason of one's own. */
export interface Watch {
  readonly signal: AbortSignal
  stop(error: KiwiError): void
}

/** Throws `INPUT_INVALID` for a limit that is not a whole number above 0. */
export function readLimits(options: SourceLimitOptions): SourceLimits {
  const { timeoutMs = 15 * 60_000, maxBytes = 10 * 2 ** 30, maxFiles = 500_000, clock = systemClock } = options
  for (const [name, value] of Object.entries({ timeoutMs, maxBytes, maxFiles }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw new KiwiError('INPUT_INVALID', `the source limit ${name} is not a whole number above 0`)
  return { timeoutMs, maxBytes, maxFiles, clock }
}

export function createBudget({ maxFiles, maxBytes }: SourceLimits, what: string): Budget {
  const spent = { files: 0, bytes: 0 }
  return {
    spend({ files, bytes }) {
      spent.files += files
      spent.bytes += bytes
      if (spent.files > maxFiles) throw tooLarge(what, { limit: 'maxFiles', allowed: maxFiles, seen: spent.files })
      if (spent.bytes > maxBytes) throw tooLarge(what, { limit: 'maxBytes', allowed: maxBytes, seen: spent.bytes })
    },
  }
}

export async function withDeadline<T>(
  signal: AbortSignal,
  { timeoutMs, clock }: SourceLimits,
  what: string,
  use: (watch: Watch) => Promise<T>,
): Promise<T> {
  const ended = new AbortController()
  const stopped = new AbortController()
  clock.sleep(timeoutMs, ended.signal).then(
    () => stopped.abort(tooSlow(what, timeoutMs)),
    () => undefined, // ended before the deadline
  )
  try {
    return await use({
      signal: AbortSignal.any([signal, stopped.signal]),
      stop: (error) => stopped.abort(error),
    })
  } finally {
    ended.abort()
  }
}

/** Looks every now and then at how much the work has written, and stops it when that is too much. git itself has no such limit. */
export async function withSizeLimit<T>(
  directory: string,
  { limits, watch, what }: { readonly limits: SourceLimits; readonly watch: Watch; readonly what: string },
  work: () => Promise<T>,
): Promise<T> {
  const { maxBytes, clock } = limits
  const ended = new AbortController()
  const check = async () => {
    const seen = await bytesIn(directory)
    if (seen > maxBytes) throw tooLarge(what, { limit: 'maxBytes', allowed: maxBytes, seen })
  }
  const looking = (async () => {
    for (;;) {
      await clock.sleep(500, ended.signal)
      await check()
    }
  })().catch((error: unknown) => {
    if (KiwiError.is(error)) watch.stop(error)
  })
  try {
    const result = await work()
    await check()
    return result
  } finally {
    ended.abort()
    await looking
  }
}

export function tooLarge(
  what: string,
  evidence: { readonly limit: 'maxFiles' | 'maxBytes'; readonly allowed: number; readonly seen: number },
): KiwiError {
  const unit = evidence.limit === 'maxFiles' ? 'files' : 'bytes'
  const message = `${what} has more than the ${evidence.allowed} ${unit} allowed (${evidence.limit})`
  return new KiwiError('SOURCE_TOO_LARGE', message, { evidence: { ...evidence, source: what } })
}

function tooSlow(what: string, timeoutMs: number): KiwiError {
  return new KiwiError('SOURCE_UNREACHABLE', `${what} took longer than ${timeoutMs} ms`, {
    hint: 'Check the network and the size of the repository, or allow more with timeoutMs.',
    evidence: { limit: 'timeoutMs', allowed: timeoutMs, source: what },
  })
}

/** Files that are shared with the cache by a hard link were there before. */
async function bytesIn(directory: string): Promise<number> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true }).catch(() => [])
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined)
        return found?.nlink === 1 ? found.size : 0
      }),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

import { setTimeout as sleep } from 'node:timers/promises'
import { type Context, type Json, KiwiError } from '@kiwi/core'

export interface RetryOptions {
  /** How often one request is sent at most. Default 5. */
  readonly tries?: number | undefined
  /** Before the second try; doubled for each further one, less up to a half by chance. Default 500. */
  readonly firstWaitMs?: number | undefined
  /** Default 8000. */
  readonly longestWaitMs?: number | undefined
  /** A registry that asks for a longer wait (`Retry-After`) is not waited for: the error says how long (`evidence.retryAfterSeconds`). Default 60,000. */
  readonly longestRetryAfterMs?: number | undefined
  /** For tests: waits, and rejects when the signal fires. */
  readonly wait?: ((milliseconds: number, signal: AbortSignal) => Promise<void>) | undefined
}

/** Counts the tries of one request, or of a transfer that takes several. */
export interface Tries {
  /** Waits until it is time for the next try. Throws the error when no try is left, or the wait would be too long. */
  next(error: KiwiError, context: Context): Promise<void>
  /** A part has got through: counting begins anew. */
  advanced(): void
}

/** Answers that say "not now" rather than "no". */
export const passing: ReadonlySet<number> = new Set([408, 429, 499, 500, 502, 503, 504, 522])

export function triesOf(options: RetryOptions = {}): Tries {
  const { tries = 5, firstWaitMs = 500, longestWaitMs = 8_000, longestRetryAfterMs = 60_000 } = options
  const { wait = waitFor } = options
  let made = 1
  return {
    async next(error, { signal }) {
      signal.throwIfAborted()
      const askedMs = askedWaitMs(error)
      if (made >= tries || (askedMs ?? 0) > longestRetryAfterMs) throw error
      const backoffMs = Math.min(longestWaitMs, firstWaitMs * 2 ** (made - 1)) * (0.5 + Math.random() / 2)
      made += 1
      await wait(Math.max(askedMs ?? 0, backoffMs), signal).catch((reason: unknown) => {
        throw signal.aborted ? signal.reason : reason
      })
    },
    advanced: () => {
      made = 1
    },
  }
}

async function waitFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal })
}

/** Whether the same request may succeed in a while: the connection was lost, or the answer says so. */
export function isPassing(error: unknown): error is KiwiError {
  if (!KiwiError.is(error) || !error.retryable) return false
  const status = statusOf(error)
  return status === undefined ? error.code === 'REGISTRY_UNREACHABLE' : passing.has(status)
}

/** The status of the answer that an error tells of. */
export function statusOf(error: unknown): number | undefined {
  const status = evidenceOf(error, 'status')
  return typeof status === 'number' ? status : undefined
}

/** The registry's own error code, such as `BLOB_UPLOAD_UNKNOWN`. */
export function wordOf(error: unknown): string | undefined {
  const code = evidenceOf(error, 'code')
  return typeof code === 'string' ? code : undefined
}

export function evidenceOf(error: unknown, name: string): Json | undefined {
  const evidence = KiwiError.is(error) ? error.evidence : undefined
  return isRecord(evidence) ? evidence[name] : undefined
}

function isRecord(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** From `Retry-After`, in whichever form. */
function askedWaitMs(error: KiwiError): number | undefined {
  const seconds = evidenceOf(error, 'retryAfterSeconds')
  return typeof seconds === 'number' ? seconds * 1000 : undefined
}

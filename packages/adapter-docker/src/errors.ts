import { type Effect, type ErrorCode, KiwiError } from '@kiwi/core'

/** Runs one call to the engine; what it throws becomes a `KiwiError`. `lost` is the effect when no answer came back. */
export async function attempt<T>(what: string, lost: Effect, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (thrown) {
    throw fromEngine(thrown, what, lost)
  }
}

/** Runs a call whose refusal with one of `statuses` means that there is nothing left to do (304 started already, 404 gone). */
export async function tolerate(statuses: readonly number[], call: () => Promise<unknown>): Promise<void> {
  try {
    await call()
  } catch (thrown) {
    if (!statuses.includes(statusOf(thrown) ?? 0)) throw thrown
  }
}

/** For what follows a first write: something was changed, also when the call that failed changed nothing. */
export async function afterWrite<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (thrown) {
    const error = KiwiError.from(thrown)
    if (error.effect !== 'none') throw error
    throw new KiwiError(error.code, error.message, { ...error, effect: 'done', cause: error.cause })
  }
}

export function fromEngine(thrown: unknown, what: string, lost: Effect): KiwiError {
  if (KiwiError.is(thrown)) return thrown
  const words = wordsOf(thrown)
  const answered = statusOf(thrown) !== undefined
  const code = answered ? codeOfWords(words) : 'RUNTIME_UNREACHABLE'
  const effect = answered || neverSent(thrown) ? 'none' : lost
  return new KiwiError(code, `${what}: ${words}`, { effect, cause: thrown })
}

/** The engine passes a registry's refusal on as a sentence, in the stream or as an answer. */
export function fromPull(sentence: string, image: string, cause?: unknown): KiwiError {
  return new KiwiError(codeOfPull(sentence), `pulling ${image}: ${sentence}`, { cause })
}

export function statusOf(thrown: unknown): number | undefined {
  const status = thrown instanceof Error && 'statusCode' in thrown ? thrown.statusCode : undefined
  return typeof status === 'number' ? status : undefined
}

/** The engine's own sentence, without the client's frame around it. */
export function wordsOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const answer = 'json' in thrown ? thrown.json : undefined
  if (typeof answer === 'object' && answer !== null && 'message' in answer) return String(answer.message)
  return thrown.message
}

function codeOfWords(words: string): ErrorCode {
  if (/port is already allocated|bind: address already in use/i.test(words)) return 'PORT_TAKEN'
  if (/no space left on device/i.test(words)) return 'DISK_FULL'
  return 'RUNTIME_FAILED'
}

function codeOfPull(sentence: string): ErrorCode {
  if (/no space left on device/i.test(sentence)) return 'DISK_FULL'
  if (/toomanyrequests|rate limit/i.test(sentence)) return 'RATE_LIMITED'
  if (/unauthorized|authentication required|no basic auth/i.test(sentence)) return 'REGISTRY_UNAUTHORIZED'
  if (/denied|forbidden/i.test(sentence)) return 'REGISTRY_DENIED'
  if (/manifest unknown|not found|name unknown/i.test(sentence)) return 'MANIFEST_UNKNOWN'
  if (/refused|no such host|timeout|unreachable|EOF/i.test(sentence)) return 'REGISTRY_UNREACHABLE'
  return 'REGISTRY_FAILED'
}

/** A connection that was never made carried nothing. */
function neverSent(thrown: unknown): boolean {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  return ['ECONNREFUSED', 'ENOENT', 'EACCES', 'ENOTFOUND', 'EHOSTUNREACH'].includes(String(code))
}

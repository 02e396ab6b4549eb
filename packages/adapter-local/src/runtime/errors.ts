import { type ErrorRecord, KiwiError } from '@kiwi/core'

/** The supervisor's refusal, as the error it is. */
export function refusal(record: ErrorRecord): KiwiError {
  return KiwiError.fromRecord(record)
}

/** The connection broke while a request was under way. */
export function lost(method: 'GET' | 'POST', cause: unknown): KiwiError {
  const effect = method === 'GET' ? 'none' : 'unknown'
  return new KiwiError('RUNTIME_UNREACHABLE', 'the supervisor did not answer', { effect, cause })
}

export function notStarted(directory: string, words: string, cause?: unknown): KiwiError {
  return new KiwiError('RUNTIME_UNREACHABLE', `no supervisor could be started for ${directory}`, {
    hint: 'Its own words are below; they are in supervisor.log of that directory, too.',
    evidence: { words },
    cause,
  })
}

/** Nobody listens at that socket (any more): nothing was sent. */
export function isNobodyThere(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ENOENT' || code === 'ECONNREFUSED'
}

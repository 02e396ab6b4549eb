import { type Effect, type ErrorCode, KiwiError, type KiwiErrorOptions } from '@kiwi/core'
import type { Answer } from './transport/client.js'
import { Unanswered } from './transport/exchange.js'

interface Asked {
  readonly method: string
  readonly path: string
}

/** What the API server says when it refuses (`metav1.Status`), as far as it is used here. */
interface Status {
  readonly message?: string
  readonly reason?: string
  readonly details?: { readonly causes?: readonly { readonly field?: string; readonly message?: string }[] }
}

/** The write's precondition did not hold: another state than the one it was decided on. Nothing was changed. */
export function moved(answer: Answer): boolean {
  if (answer.status === 409 || answer.status === 412) return true
  // A JSON patch whose `test` fails is "Invalid" without a cause; what validation refuses has causes.
  return answer.status === 422 && (statusOf(answer)?.details?.causes ?? []).length === 0
}

/** Makes the error of an answer that is a refusal. */
export function refused(answer: Answer, asked: Asked): KiwiError {
  const { status } = answer
  const message = `${asked.method} ${asked.path}: ${wordsOf(answer)}`
  const effect: Effect = status >= 500 && asked.method !== 'GET' ? 'unknown' : 'none'
  const [code, options] = kindOf(answer)
  return new KiwiError(code, message, {
    effect,
    evidence: { status, reason: statusOf(answer)?.reason ?? null },
    ...options,
  })
}

function kindOf(answer: Answer): [ErrorCode, KiwiErrorOptions] {
  const { status } = answer
  const words = wordsOf(answer)
  if (status === 401 || status === 403) {
    if (words.includes('because it is being terminated')) return ['RUNTIME_FAILED', {}]
    return ['RUNTIME_FAILED', { retryable: false, hint: 'Give the kubeconfig’s user this right in this namespace.' }]
  }
  if (moved(answer)) return ['CONFLICT', {}]
  if (status === 422 && words.includes('already allocated')) return ['PORT_TAKEN', {}]
  if (status === 429) return ['RATE_LIMITED', {}]
  return ['RUNTIME_FAILED', { retryable: status >= 500 }]
}

/** Makes the error of a request without an answer; a refusal stays what it is. */
export function unanswered(
  thrown: unknown,
  { request, server, signal }: { request: Asked; server: URL; signal: AbortSignal },
): KiwiError {
  if (KiwiError.is(thrown)) return thrown
  const sent = !(thrown instanceof Unanswered) || thrown.sent
  const effect: Effect = request.method === 'GET' || !sent ? 'none' : 'unknown'
  const what = `${request.method} ${request.path}`
  if (signal.aborted) {
    const reason: unknown = signal.reason
    const code = KiwiError.is(reason) ? reason.code : 'CANCELLED'
    return new KiwiError(code, `${what} was broken off`, { effect, cause: reason })
  }
  const words = thrown instanceof Error ? thrown.message : String(thrown)
  return new KiwiError('RUNTIME_UNREACHABLE', `${server.host} did not answer ${what}: ${words}`, {
    effect,
    cause: thrown,
  })
}

export function fenced(mine: number, newest: number): KiwiError {
  return new KiwiError('FENCED', `the target was claimed with token ${newest}; this operation's token is ${mine}`)
}

export function conflict(message: string): KiwiError {
  return new KiwiError('CONFLICT', message)
}

/** The order cannot be carried out as things are. */
export function refusal(message: string): KiwiError {
  return new KiwiError('RUNTIME_FAILED', message, {
    retryable: false,
    hint: 'Look at the target again and decide from what is there.',
  })
}

/** The server's own words: of a Status its message, of a proxy's page its first line. */
function wordsOf(answer: Answer): string {
  const text = typeof answer.body === 'string' ? answer.body.trim().split('\n')[0]?.slice(0, 300) : undefined
  return statusOf(answer)?.message ?? (text || `status ${answer.status}`)
}

function statusOf({ body }: Answer): Status | undefined {
  return typeof body === 'object' && body !== null ? body : undefined
}

import { type ErrorCode, type Json, KiwiError, type KiwiErrorOptions } from '@kiwi/core'
import type { HttpAnswer } from './connect.js'
import { secondsToWait } from './wait.js'
import { parseBody, type Words } from './words.js'

export { neverSent, unreachable } from './unreachable.js'
export { parseBody, type Words } from './words.js'

/** What was tried, in words that go into messages (`push to 127.0.0.1:5000/web`). */
export interface Attempt {
  readonly doing: string
  readonly host: string
  /** Whether a user name was sent along. */
  readonly signedIn: boolean
  /** Knows the registry's vendor; asked first. */
  readonly judge?: Judge | undefined
}

/** An answer that should not be, as far as its meaning goes. */
export interface Refusal {
  readonly status: number
  /** What the registry says: code and message, `''` where it says none. */
  readonly words: Words
  readonly attempt: Attempt
  /** The first value of a header. */
  header(name: string): string | undefined
  /** Every value of a header. */
  headers(name: string): readonly string[]
}

/** What an answer means. `why` ends the sentence `cannot push to …: `; the registry's own words follow it. */
export interface Judgement extends Pick<KiwiErrorOptions, 'hint' | 'retryable'> {
  readonly code: ErrorCode
  readonly why: string
}

/** A vendor's own reading of its answers; `undefined`: it means what it means of every registry. */
export type Judge = (refusal: Refusal) => Judgement | undefined

/** Bytes of an error answer that are read at most. */
const limitBytes = 64 * 1024

/** Turns an answer that should not be into an error, with the registry's own words. Nothing of the request gets in. */
export async function answerError(answer: HttpAnswer, attempt: Attempt): Promise<KiwiError> {
  const words = parseBody(await answer.text(limitBytes).catch(() => ''))
  const refusal: Refusal = {
    status: answer.status,
    words,
    attempt,
    header: (name) => answer.header(name),
    headers: (name) => answer.headers(name),
  }
  const { code, why, ...options } = attempt.judge?.(refusal) ?? judge(refusal)
  const said = words.message === '' ? '' : `: ${words.message}`
  const requestId = answer.header('x-request-id')?.slice(0, 200)
  const retryAfterSeconds = secondsToWait(answer)
  const evidence: Json = {
    host: attempt.host,
    status: answer.status,
    ...(words.code && { code: words.code }),
    ...(words.message && { message: words.message }),
    ...(requestId && { requestId }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  }
  return new KiwiError(code, `cannot ${attempt.doing}: ${why}${said}`, { evidence, ...options })
}

function judge(refusal: Refusal): Judgement {
  const { status, words, attempt } = refusal
  const { host } = attempt
  if (status >= 400 && status < 500) {
    const told = judgeWords(refusal)
    if (told) return told
  }
  if (status === 401) return judgeUnauthorized(refusal)
  if (status === 403) return judgeForbidden(refusal)
  if (status === 404 && /^(?:MANIFEST_|NOT_FOUND$)/.test(words.code)) {
    return { code: 'MANIFEST_UNKNOWN', why: `${host} does not have it` }
  }
  if (status === 404 && words.code === 'NAME_UNKNOWN') {
    return { code: 'MANIFEST_UNKNOWN', why: `${host} does not have the repository` }
  }
  if (status === 405 || (status === 400 && words.code === 'UNSUPPORTED')) {
    return { code: 'REGISTRY_DENIED', why: `${host} does not do that`, hint: unsupportedHint }
  }
  if (status === 412) return { code: 'REGISTRY_DENIED', why: `a policy of ${host} forbids it`, hint: policyHint }
  if (status === 413) return { code: 'REGISTRY_FAILED', why: 'it is too large', hint: sizeHint, retryable: false }
  if (status === 429) return judgeLimit(refusal)
  return { code: 'REGISTRY_FAILED', why: `${host} answers ${status}`, retryable: status >= 500 || status === 408 }
}

const unsupportedHint = 'It may be set to read only or to keep everything, or be a cache of another registry.'
const policyHint = 'A scan or a signature may be missing, or another rule of the project; see the registry’s words.'
const sizeHint = 'A proxy before the registry limits the size of requests (nginx: client_max_body_size); raise it.'

/** Registries agree less about status and code than about what they tell people. */
function judgeWords({ status, words, attempt: { host } }: Refusal): Judgement | undefined {
  const text = `${words.code} ${words.message}`
  if (status === 400 && /sent an HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS/i.test(text)) {
    const hint = 'Leave plainHttp out for this registry.'
    return { code: 'REGISTRY_UNREACHABLE', why: `${host} speaks TLS on that port`, hint, retryable: false }
  }
  if (status !== 429 && /\bquota\b|storage (?:limit|space)|insufficient storage/i.test(text)) {
    return { code: 'REGISTRY_QUOTA_EXCEEDED', why: `${host} has no room left for it` }
  }
  if (/\bimmutab|cannot be overwritten|TagAlreadyExists/i.test(text)) {
    return { code: 'TAG_IMMUTABLE', why: `${host} lets nobody move the tag` }
  }
  if (status !== 403 && /\b(?:project|namespace)\b.{0,300}\b(?:not found|does not exist)\b/i.test(text)) {
    return { code: 'REGISTRY_PROJECT_MISSING', why: `${host} does not have the project` }
  }
  if (/^(?:NAME|TAG)_INVALID$/.test(words.code)) {
    return { code: 'IMAGE_REFERENCE_INVALID', why: `${host} does not take the name` }
  }
  return undefined
}

/** Registries answer 401 for a wrong password and, with a token that lacks the right, for a known user too. */
function judgeUnauthorized({ headers, attempt: { host, signedIn } }: Refusal): Judgement {
  if (!signedIn)
    return { code: 'REGISTRY_UNAUTHORIZED', why: `${host} wants credentials, and none are configured for it` }
  const bearer = headers('www-authenticate').some((header) => /^\s*bearer\b/i.test(header))
  if (bearer) return { code: 'REGISTRY_DENIED', why: `${host} knows the user but denies it` }
  return { code: 'REGISTRY_UNAUTHORIZED', why: `${host} refuses the user name or the password` }
}

function judgeForbidden(refusal: Refusal): Judgement {
  const { words, attempt } = refusal
  if (/TOOMANYREQUESTS|rate limit|too many requests/i.test(`${words.code} ${words.message}`)) return judgeLimit(refusal)
  const { host, signedIn } = attempt
  if (signedIn) return { code: 'REGISTRY_DENIED', why: `${host} denies it` }
  return { code: 'REGISTRY_DENIED', why: `${host} denies it to anonymous users`, hint: anonymousHint }
}

const anonymousHint = 'Give credentials for this registry; none are configured.'

function judgeLimit({ header, attempt: { host, signedIn } }: Refusal): Judgement {
  const seconds = secondsToWait({ header })
  const wait = seconds === undefined ? '' : `; it asks to wait ${seconds} s`
  return { code: 'RATE_LIMITED', why: `${host} limits ${signedIn ? 'this user' : 'anonymous users'}${wait}` }
}

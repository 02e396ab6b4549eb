import { type Effect, type ErrorCode, type Json, KiwiError, type KiwiErrorOptions } from '@kiwi/core'
import type { HttpAnswer } from './connect.js'

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
  const evidence: Json = {
    host: attempt.host,
    status: answer.status,
    ...(words.code && { code: words.code }),
    ...(words.message && { message: words.message }),
    ...(answer.header('x-request-id') && { requestId: answer.header('x-request-id') }),
    ...(retryAfter(answer) && { retryAfter: retryAfter(answer) }),
  }
  return new KiwiError(code, `cannot ${attempt.doing}: ${why}${said}`, { evidence, ...options })
}

function judge(refusal: Refusal): Judgement {
  const { status, words, attempt } = refusal
  const { host, signedIn } = attempt
  if (status === 401) return judgeUnauthorized(refusal)
  if (status === 403) return { code: 'REGISTRY_DENIED', why: `${host} denies it` }
  if (status === 404 && words.code.startsWith('MANIFEST_')) {
    return { code: 'MANIFEST_UNKNOWN', why: `${host} does not have it` }
  }
  if (status === 404 && words.code === 'NAME_UNKNOWN') {
    return { code: 'MANIFEST_UNKNOWN', why: `${host} does not have the repository` }
  }
  if (status === 412) return { code: 'REGISTRY_DENIED', why: `a policy of ${host} forbids it`, hint: policyHint }
  if (status === 413) return { code: 'REGISTRY_FAILED', why: 'it is too large', hint: sizeHint, retryable: false }
  if (status === 429) {
    const wait = retryAfter(refusal)
    const when = wait === undefined ? '' : `; it asks to wait ${/^\d+$/.test(wait) ? `${wait} s` : `until ${wait}`}`
    return { code: 'RATE_LIMITED', why: `${host} limits ${signedIn ? 'this user' : 'anonymous users'}${when}` }
  }
  return { code: 'REGISTRY_FAILED', why: `${host} answers ${status}`, retryable: status >= 500 || status === 408 }
}

const policyHint = 'The tag may be immutable, or a scan or signature may be missing; see the registry’s words.'
const sizeHint = 'A proxy before the registry limits the size of requests (nginx: client_max_body_size); raise it.'

/** Registries answer 401 for a wrong password and, with a token that lacks the right, for a known user too. */
function judgeUnauthorized({ headers, attempt: { host, signedIn } }: Refusal): Judgement {
  if (!signedIn)
    return { code: 'REGISTRY_UNAUTHORIZED', why: `${host} wants credentials, and none are configured for it` }
  const bearer = headers('www-authenticate').some((header) => /^\s*bearer\b/i.test(header))
  if (bearer) return { code: 'REGISTRY_DENIED', why: `${host} knows the user but denies it` }
  return { code: 'REGISTRY_UNAUTHORIZED', why: `${host} refuses the user name or the password` }
}

/** A failure below HTTP. */
export function unreachable(url: URL, cause: unknown, effect: Effect): KiwiError {
  const code = codeOf(cause)
  const neverSent = code !== undefined && beforeSending.has(code)
  const certificate = code !== undefined && /CERT|SIGNATURE|ALTNAME/.test(code)
  const why =
    (code !== undefined && inWords[code]) ?? (certificate ? 'its certificate is not trusted' : messageOf(cause))
  return new KiwiError('REGISTRY_UNREACHABLE', `${url.host} cannot be reached: ${why}`, {
    effect: neverSent || certificate ? 'none' : effect,
    evidence: { host: url.host, ...(code !== undefined && { code }) },
    ...(certificate && { retryable: false, hint: 'Give its certificate authority as certificateAuthority (PEM).' }),
    ...(code === 'ERR_SSL_WRONG_VERSION_NUMBER' && { retryable: false, hint: 'Set plainHttp for this registry.' }),
    cause,
  })
}

const beforeSending = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])
const inWords: Readonly<Record<string, string | undefined>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it cut the connection',
  UND_ERR_SOCKET: 'it cut the connection',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name service does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer',
  UND_ERR_BODY_TIMEOUT: 'it stopped sending',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
}

/** Attempts on several addresses of one name come as one error that holds them. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) return codeOf(error.errors[0])
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export interface Words {
  /** Of the OCI distribution specification, or the registry's own; `''` when there is none. */
  readonly code: string
  readonly message: string
}

/** The body may be the specification's JSON, other JSON, a proxy's HTML or nothing. */
export function parseBody(text: string): Words {
  try {
    const { errors, message, details, detail } = JSON.parse(text)
    const [first] = Array.isArray(errors) ? errors : []
    const said = first?.message ?? message ?? details ?? detail
    return { code: String(first?.code ?? ''), message: oneLine(said) }
  } catch {
    return { code: '', message: /^\s*</.test(text) ? '' : oneLine(text) }
  }
}

function oneLine(text: unknown): string {
  return typeof text === 'string' ? text.replace(/\s+/g, ' ').trim().slice(0, 500) : ''
}

function retryAfter(answer: Pick<HttpAnswer, 'header'>): string | undefined {
  return answer.header('retry-after')
}

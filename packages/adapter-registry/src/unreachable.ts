import { type Effect, KiwiError } from '@kiwi/core'

/** A failure below HTTP, in the words of whoever set the registry up. */
export function unreachable(url: URL, cause: unknown, effect: Effect): KiwiError {
  const code = codeOf(cause)
  const { why, hint, lasting } = judge(url, code, cause)
  const unsent = lasting || (code !== undefined && beforeSending.has(code))
  return new KiwiError('REGISTRY_UNREACHABLE', `${url.host} cannot be reached: ${why}`, {
    effect: unsent ? 'none' : effect,
    evidence: { host: url.host, ...(code !== undefined && { code }) },
    ...(lasting && { retryable: false }),
    hint,
    cause,
  })
}

/** Whether the failure came before anything of the request was sent. */
export function neverSent(error: unknown): boolean {
  const code = KiwiError.is(error) && error.code === 'REGISTRY_UNREACHABLE' ? codeOf(error.cause) : undefined
  return code !== undefined && beforeSending.has(code)
}

interface Meaning {
  readonly why: string
  readonly hint?: string | undefined
  /** Nothing was sent, and trying again changes nothing. */
  readonly lasting: boolean
}

const certificateHint = 'Give the authority that signed its certificate as certificateAuthority (PEM).'

function judge(url: URL, code: string | undefined, cause: unknown): Meaning {
  const why = code === undefined ? undefined : inWords[code]
  if (code === undefined) return { why: messageOf(cause), lasting: false }
  if (notTls.test(code))
    return { why: 'it does not speak TLS on that port', hint: 'Set plainHttp for this registry.', lasting: true }
  if (/ALERT|HANDSHAKE/.test(code) && code.startsWith('ERR_SSL'))
    return {
      why: 'it refuses the TLS connection',
      hint: 'It may want a client certificate, or another version of TLS.',
      lasting: true,
    }
  if (/CERT|SIGNATURE|ALTNAME|HOSTNAME_MISMATCH/.test(code))
    return { why: why ?? 'its certificate is not trusted', hint: hints[code] ?? certificateHint, lasting: true }
  const cut = why === cutOff && url.protocol === 'http:'
  const hint = cut ? 'If it speaks TLS on that port, leave plainHttp out.' : hints[code]
  return { why: why ?? messageOf(cause), hint, lasting: false }
}

const beforeSending = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])
const notTls =
  /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNKNOWN_PROTOCOL|RECORD_TOO_LARGE)$/
const cutOff = 'it cut the connection'
const inWords: Readonly<Record<string, string | undefined>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: cutOff,
  EPIPE: cutOff,
  UND_ERR_SOCKET: cutOff,
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name service does not answer',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer',
  UND_ERR_BODY_TIMEOUT: 'it stopped sending',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not trusted: it signed it itself',
}
const hints: Readonly<Record<string, string | undefined>> = {
  ECONNREFUSED: 'Check the port, and that the registry runs.',
  ENOTFOUND: 'Check how the host is written, and the name service of this machine.',
  EAI_AGAIN: 'Check the name service of this machine.',
  CERT_HAS_EXPIRED: 'Renew the certificate of the registry, or set the clock of this machine.',
  CERT_NOT_YET_VALID: 'Set the clock of this machine or of the registry.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'Use a host name that the certificate has, or renew it with this one.',
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

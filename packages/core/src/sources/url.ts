import { isAbsolute } from 'node:path'
import { KiwiError } from '../errors/kiwi-error.js'
import { hasControlCharacter } from './ref.js'

/** Where a repository is, in the one form that git is given. */
export interface RepositoryAddress {
  readonly protocol: 'https' | 'http' | 'ssh' | 'file'
  /** What git is given: never with a password in it, never starting with a dash. */
  readonly url: string
  /** `https://host:port/` for the two HTTP protocols: the scope of a token. */
  readonly origin?: string | undefined
}

/**
 * Reads https, ssh, git+ssh, `user@host:path` and absolute local paths; http only for this machine.
 * Everything else, and passwords in an address, is refused with `INPUT_INVALID`.
 */
export function readRepositoryAddress(text: string): RepositoryAddress {
  if (text === '' || text.length > 2000) throw refusal('is empty or longer than 2000 characters')
  if (hasControlCharacter(text) || /[\s\\]/.test(text))
    throw refusal('has a space, a backslash or a control character in it')
  if (text.startsWith('-')) throw refusal('starts with a dash')
  if (isAbsolute(text)) return { protocol: 'file', url: text }
  const fault = shellFaultOf(text)
  if (fault !== undefined) throw refusal(fault)
  if (/^[^/]*::/.test(text)) throw refusal('names a remote helper')
  return text.includes('://') ? readUrl(text) : readSecureCopyForm(text)
}

/** What no address needs; a local path may have it. */
export function shellFaultOf(text: string): string | undefined {
  if (/[`$;|<>"'{}^*]/.test(text)) return 'has a character in it that a shell acts on'
  // git hands host and path to credential helpers line by line.
  if (/%(?:[01][0-9a-f]|7f)/i.test(text)) return 'has a control character in it, written with a percent sign'
  return undefined
}

function readUrl(text: string): RepositoryAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw refusal('is not a URL')
  if (url.hostname === '' || url.hostname.startsWith('-')) throw refusal('has no usable host name')
  if (url.password !== '')
    throw refusal('has a password in it', 'Leave it out and give it as a token: token: secret(…).')
  if (url.search !== '' || url.hash !== '') throw refusal('has a query or a fragment')
  if (url.pathname.length < 2) throw refusal('has no path')
  if (url.protocol === 'ssh:' || url.protocol === 'git+ssh:') return readSecureShellUrl(text, url)
  if (url.username !== '') throw refusal('has a user name in it', 'Leave it out and give a token: token: secret(…).')
  const origin = `${url.origin}/`
  if (url.protocol === 'https:') return { protocol: 'https', url: url.href, origin }
  if (url.protocol === 'http:' && isLoopback(url.hostname)) return { protocol: 'http', url: url.href, origin }
  if (url.protocol === 'http:') throw refusal('is http, which anyone on the way can read and change', 'Use https.')
  throw refusal('has a protocol that is not https or ssh')
}

function readSecureShellUrl(text: string, url: URL): RepositoryAddress {
  const user = decodeURIComponent(url.username)
  if (user !== '' && !isUserName(user)) throw refusal('has a user name that is not allowed')
  return { protocol: 'ssh', url: text.replace(/^git\+ssh:/i, 'ssh:') }
}

function readSecureCopyForm(text: string): RepositoryAddress {
  const [, user = '', path = ''] = /^([^@:/]+)@[A-Za-z0-9][A-Za-z0-9.-]*:(.+)$/.exec(text) ?? []
  if (!isUserName(user) || path.startsWith('-'))
    throw refusal('is not https://…, ssh://…, user@host:path or an absolute path')
  return { protocol: 'ssh', url: text }
}

function isUserName(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(text)
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/** The address itself is not repeated: what was refused may hold a password. */
function refusal(
  fault: string,
  hint = 'Give https://…, ssh://…, user@host:path or the absolute path of a local repository.',
) {
  return new KiwiError('INPUT_INVALID', `the repository address ${fault}`, { hint })
}

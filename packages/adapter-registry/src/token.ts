import { type Context, KiwiError } from '@kiwi/core'
import type { Http } from './connect.js'
import type { Credentials } from './credentials.js'
import { answerError, parseBody } from './errors.js'

/** Where a registry sends its clients for tokens. */
export interface TokenService {
  readonly realm: string
  readonly service?: string | undefined
}

export interface Token {
  readonly value: string
  /** Whether it was given for a login rather than to anybody. */
  readonly signedIn: boolean
}

export interface Tokens {
  /** A token for the scopes, the first of which is the one that matters. Asked for once, however many wait for it. */
  get(service: TokenService, scopes: readonly string[], context: Context): Promise<Token>
  /** Drops the token for the scopes, if it is still that one. */
  forget(service: TokenService, scopes: readonly string[]): void
}

export interface TokensOptions {
  readonly http: Http
  readonly host: string
  readonly credentials: Credentials
  /** Milliseconds, monotonic. */
  readonly now?: (() => number) | undefined
}

interface Kept {
  readonly token: Promise<Token>
  /** Of the call that asked. */
  readonly signal: AbortSignal
  /** Renewed from then on. Infinity while it is being asked for. */
  renewAt: number
}

/** What a token server means that does not say how long (distribution, token.md). */
const defaultLifeSeconds = 60
/** A token is renewed when this part of its life is over. */
const usablePart = 0.8
const limitBytes = 64 * 1024

/** Keeps tokens in memory until shortly before they expire. */
export function tokenCache(options: TokensOptions): Tokens {
  const { now = () => performance.now() } = options
  const kept = new Map<string, Kept>()
  const keyOf = ({ realm, service }: TokenService, scopes: readonly string[]) =>
    JSON.stringify([realm, service ?? '', ...scopes])
  return {
    async get(service, scopes, context) {
      const key = keyOf(service, scopes)
      const found = kept.get(key)
      const token = found && now() < found.renewAt ? await shared(found, context.signal) : undefined
      if (token) return token
      const asked = askToken(options, service, scopes, context)
      const entry: Kept = { token: asked, signal: context.signal, renewAt: Number.POSITIVE_INFINITY }
      kept.set(key, entry)
      try {
        const { lifeSeconds, ...given } = await asked
        entry.renewAt = now() + lifeSeconds * 1000 * usablePart
        return given
      } catch (error) {
        if (kept.get(key) === entry) kept.delete(key)
        throw error
      }
    },
    forget: (service, scopes) => void kept.delete(keyOf(service, scopes)),
  }
}

/** `undefined` when whoever asked for it was cancelled meanwhile: that is not the failure of those who wait with them. */
async function shared({ token, signal: asking }: Kept, waiting: AbortSignal): Promise<Token | undefined> {
  try {
    return await token
  } catch (error) {
    if (asking.aborted && !waiting.aborted) return undefined
    throw error
  }
}

/** One `scope` parameter for each scope; the login only in a header (distribution, token.md). */
async function askToken(
  { http, host, credentials }: TokensOptions,
  { realm, service }: TokenService,
  scopes: readonly string[],
  context: Context,
): Promise<Token & { readonly lifeSeconds: number }> {
  const url = new URL(realm)
  if (service !== undefined) url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  return credentials(context, async (login) => {
    const headers = login ? { authorization: basicHeader(login.username, login.password) } : {}
    const answer = await http.send({ method: 'GET', url, headers, context })
    if (answer.status === 200)
      return { ...readToken(await answer.text(limitBytes), host), signedIn: login !== undefined }
    if (login && (answer.status === 401 || answer.status === 403)) throw await refused(answer, host)
    throw await answerError(answer, { doing: `sign in to ${host}`, host: url.host, signedIn: login !== undefined })
  })
}

export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

async function refused(answer: { text(limitBytes: number): Promise<string> }, host: string): Promise<KiwiError> {
  const { message } = parseBody(await answer.text(limitBytes))
  const said = message === '' ? '' : `: ${message}`
  return new KiwiError('REGISTRY_UNAUTHORIZED', `${host} refuses the user name or the password${said}`, {
    evidence: { host },
  })
}

/** Some servers say `token`, others `access_token`. The answer is never quoted: it holds the token. */
function readToken(text: string, host: string): { value: string; lifeSeconds: number } {
  try {
    const { token, access_token: accessToken, expires_in: life } = JSON.parse(text)
    const value = token ?? accessToken
    if (typeof value === 'string' && value !== '') {
      return { value, lifeSeconds: typeof life === 'number' && life > 0 ? life : defaultLifeSeconds }
    }
  } catch {}
  throw new KiwiError('REGISTRY_FAILED', `the token server of ${host} gives no token`, { evidence: { host } })
}

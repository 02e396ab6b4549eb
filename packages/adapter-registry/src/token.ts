import { type Context, KiwiError } from '@kiwi/core'
import type { Http, HttpAnswer } from './connect.js'
import type { Credentials, Login } from './credentials.js'
import { identityTokenUser } from './docker-config.js'
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
  /** Drops the token for the scopes, unless another is being asked for already. */
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
    forget(service, scopes) {
      const key = keyOf(service, scopes)
      // one that is being asked for is newer than the one that was refused
      if (kept.get(key)?.renewAt !== Number.POSITIVE_INFINITY) kept.delete(key)
    },
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

async function askToken(
  { http, host, credentials }: TokensOptions,
  service: TokenService,
  scopes: readonly string[],
  context: Context,
): Promise<Token & { readonly lifeSeconds: number }> {
  const lend = async (login: Login | undefined) => {
    const question: Question = { http, service, scopes, context, login }
    const answer = (await exchange(question)) ?? (await getToken(question))
    const signedIn = login !== undefined
    if (answer.status === 200)
      return { ...readToken(await answer.text(limitBytes), answer.header('date'), host), signedIn }
    if (login && refusals(login).includes(answer.status)) throw await refused(answer, host, login)
    throw await answerError(answer, { doing: `sign in to ${host}`, host: answer.url.host, signedIn })
  }
  return credentials(context, lend, scopes)
}

interface Question {
  readonly http: Http
  readonly service: TokenService
  readonly scopes: readonly string[]
  readonly context: Context
  readonly login: Login | undefined
}

/** One `scope` parameter for each scope; the login only in a header (distribution, token.md). */
function getToken({ http, service: { realm, service }, scopes, context, login }: Question): Promise<HttpAnswer> {
  const url = new URL(realm)
  if (service !== undefined) url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  const headers = login ? { authorization: basicHeader(login.username, login.password) } : {}
  return http.send({ method: 'GET', url, headers, context })
}

/** An identity token for one of access (distribution, oauth.md). `undefined` where there is none, or the server does not know this way. */
async function exchange({ http, service, scopes, context, login }: Question): Promise<HttpAnswer | undefined> {
  if (login?.username !== identityTokenUser) return undefined
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: 'kiwi',
    access_type: 'online',
    refresh_token: login.password,
  })
  if (service.service !== undefined) form.set('service', service.service)
  if (scopes.length > 0) form.set('scope', scopes.join(' '))
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const url = new URL(service.realm)
  const answer = await http.send({ method: 'POST', url, headers, body: form.toString(), context })
  if (answer.status !== 404 && answer.status !== 405) return answer
  await answer.discard()
  return undefined
}

export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Of an identity token that has ended, OAuth2 says 400. */
function refusals({ username }: Login): readonly number[] {
  return username === identityTokenUser ? [400, 401, 403] : [401, 403]
}

async function refused(answer: HttpAnswer, host: string, { username }: Login): Promise<KiwiError> {
  const { message } = parseBody(await answer.text(limitBytes))
  const said = message === '' ? '' : `: ${message}`
  const what = username === identityTokenUser ? 'identity token' : 'user name or the password'
  return new KiwiError('REGISTRY_UNAUTHORIZED', `${host} refuses the ${what}${said}`, {
    evidence: { host },
  })
}

/** Some servers say `token`, others `access_token`. The answer is never quoted: it holds the token. */
function readToken(text: string, date: string | undefined, host: string): { value: string; lifeSeconds: number } {
  try {
    const { token, access_token: accessToken, expires_in: life, issued_at: issuedAt } = JSON.parse(text)
    const value = token ?? accessToken
    if (typeof value === 'string' && value !== '') {
      const wholeSeconds = typeof life === 'number' && life > 0 ? life : defaultLifeSeconds
      return { value, lifeSeconds: Math.max(wholeSeconds - ageSeconds(issuedAt, date), 0) }
    }
  } catch {}
  throw new KiwiError('REGISTRY_FAILED', `the token server of ${host} gives no token`, { evidence: { host } })
}

/** By the server's own clock: what is left of the life of a token that was made for somebody before. */
function ageSeconds(issuedAt: unknown, date: string | undefined): number {
  const age = (Date.parse(date ?? '') - Date.parse(String(issuedAt))) / 1000
  return Number.isNaN(age) ? 0 : Math.max(age, 0) // where one of them is not said, it is taken for new
}

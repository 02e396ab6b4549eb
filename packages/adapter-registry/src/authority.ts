import { type Context, KiwiError } from '@kiwi/core'
import { type Challenge, parseChallenges } from './challenge.js'
import type { HttpAnswer } from './connect.js'
import type { Credentials, Login } from './credentials.js'
import { identityTokenUser } from './docker-config.js'
import type { Endpoint } from './endpoint.js'
import { basicHeader, type TokenService, type Tokens } from './token.js'

/** How a registry wants to be spoken to, learned from its challenges and kept. */
export interface Authority {
  readonly scheme: 'none' | 'basic' | 'bearer'
  /** Calls `send` with the header for the scopes: none as long as the registry has not asked for one. */
  authorize<T>(
    scopes: readonly string[],
    context: Context,
    send: (authorization: string | undefined, signedIn: boolean) => Promise<T>,
  ): Promise<T>
  /** Takes a refusal in. Answers the scopes to try again with, or undefined when there is nothing to try. */
  learn(refusal: Pick<HttpAnswer, 'headers'>, scopes: readonly string[]): readonly string[] | undefined
}

type Known =
  | { readonly scheme: 'none' }
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly service: TokenService }

export function authorityOf(endpoint: Endpoint, credentials: Credentials, tokens: Tokens): Authority {
  let known: Known = { scheme: 'none' }
  /** What was asked for beyond the scopes of a call, by these: the next call does not have to be refused first. */
  const wider = new Map<string, readonly string[]>()
  const widened = (scopes: readonly string[]) => wider.get(scopes.join(' ')) ?? scopes
  return {
    get scheme() {
      return known.scheme
    },
    async authorize(scopes, context, send) {
      const current = known
      if (current.scheme === 'none') return send(undefined, false)
      if (current.scheme === 'basic') return credentials(context, (login) => sendBasic(login, send), scopes)
      const { value, signedIn } = await tokens.get(current.service, widened(scopes), context)
      return send(`Bearer ${value}`, signedIn)
    },
    learn(refusal, scopes) {
      const challenges = parseChallenges(refusal.headers('www-authenticate'))
      const offered = choose(challenges, endpoint)
      const current = widened(scopes)
      if (!offered) return challenges.length === 0 && renew(known, tokens, current) ? scopes : undefined
      known = offered.known
      if (known.scheme !== 'bearer') return scopes
      tokens.forget(known.service, current)
      const asked = (offered.scope ?? '').split(' ').filter((scope) => scope !== '')
      const missing = asked.filter((scope) => !current.some((has) => covers(has, scope)))
      const all = [...missing, ...(current.length < mostScopes ? current : scopes)]
      if (missing.length > 0) wider.set(scopes.join(' '), all)
      return all
    },
  }
}

/** A registry that asks for another scope each time does not make requests ever longer. */
const mostScopes = 16

/** `repository:web:pull,push` covers `repository:web:pull`, which must not come before it: some token servers read only the first. */
function covers(scope: string, other: string): boolean {
  const [mine, theirs] = [splitScope(scope), splitScope(other)]
  return mine.of === theirs.of && theirs.actions.every((action) => mine.actions.includes(action))
}

function splitScope(scope: string) {
  const end = scope.lastIndexOf(':')
  return { of: scope.slice(0, end), actions: scope.slice(end + 1).split(',') }
}

/** A token that is refused without a word may have ended before its time. */
function renew(known: Known, tokens: Tokens, scopes: readonly string[]): boolean {
  if (known.scheme !== 'bearer') return false
  tokens.forget(known.service, scopes)
  return true
}

/** An identity token is for token servers. */
function sendBasic<T>(
  login: Login | undefined,
  send: (authorization: string | undefined, signedIn: boolean) => Promise<T>,
): Promise<T> {
  if (!login || login.username === identityTokenUser) return send(undefined, false)
  return send(basicHeader(login.username, login.password), true)
}

/** Bearer before Basic: a token server that is there has to be asked, and a token tells less than a password. */
function choose(challenges: readonly Challenge[], endpoint: Endpoint) {
  for (const { scheme, parameters } of challenges) {
    if (scheme !== 'bearer' || parameters.realm === undefined) continue
    requireAddress(parameters.realm, endpoint)
    const service = { realm: parameters.realm, service: parameters.service }
    return { known: { scheme: 'bearer', service } as const, scope: parameters.scope }
  }
  return challenges.some(({ scheme }) => scheme === 'basic') ? { known: { scheme: 'basic' } as const } : undefined
}

/** Which addresses may be asked is for `guard.ts` to say, once for all that is sent. */
function requireAddress(realm: string, { host }: Endpoint): void {
  if (URL.canParse(realm)) return
  throw new KiwiError('REGISTRY_FAILED', `${host} sends to a token server whose address is malformed`, {
    retryable: false,
    evidence: { host },
  })
}

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
  return {
    get scheme() {
      return known.scheme
    },
    async authorize(scopes, context, send) {
      const current = known
      if (current.scheme === 'none') return send(undefined, false)
      if (current.scheme === 'basic') return credentials(context, (login) => sendBasic(login, send), scopes)
      const { value, signedIn } = await tokens.get(current.service, scopes, context)
      return send(`Bearer ${value}`, signedIn)
    },
    learn(refusal, scopes) {
      const challenges = parseChallenges(refusal.headers('www-authenticate'))
      const offered = choose(challenges, endpoint)
      if (!offered) return challenges.length === 0 && renew(known, tokens, scopes) ? scopes : undefined
      known = offered.known
      if (known.scheme !== 'bearer') return scopes
      tokens.forget(known.service, scopes)
      const asked = offered.scope?.split(' ').filter((scope) => scope !== '' && !scopes.includes(scope)) ?? []
      return [...asked, ...scopes]
    },
  }
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
    evidence: { host, realm },
  })
}

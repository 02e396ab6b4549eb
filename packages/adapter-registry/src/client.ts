import type { Context, Effect } from '@kiwi/core'
import { KiwiError } from '@kiwi/core'
import { type Authority, authorityOf } from './authority.js'
import type { Http, HttpAnswer, HttpRequest } from './connect.js'
import type { Credentials } from './credentials.js'
import type { Endpoint } from './endpoint.js'
import { answerError, type Judge } from './errors.js'
import { tokenCache } from './token.js'

/** Speaks to one registry: signs in when asked to, follows redirects, turns refusals into errors. */
export interface Client {
  readonly endpoint: Endpoint
  readonly scheme: Authority['scheme']
  /** Resolves with an answer whose status is one of `expect`. */
  send(call: Call, context: Context): Promise<HttpAnswer>
}

export interface Call {
  readonly method: HttpRequest['method']
  /** A path of the registry, or the address that it gave for an upload. */
  readonly to: string | URL
  /** In the order of their weight: some registries read only the first. */
  readonly scopes: readonly string[]
  readonly expect: readonly number[]
  /** For messages: `push to 127.0.0.1:5000/web`. */
  readonly doing: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** A stream is sent once: a refusal of it is final. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined
  readonly effect?: Effect | undefined
  /** May be sent again when the connection is lost. Default: GET and HEAD. */
  readonly again?: boolean | undefined
}

const redirects = new Set([301, 302, 303, 307, 308])
const maximumRedirects = 5

export function clientOf(
  endpoint: Endpoint,
  http: Http,
  credentials: Credentials,
  /** The vendor's own reading of refusals. */
  { judge }: { readonly judge?: Judge | undefined } = {},
): Client {
  const tokens = tokenCache({ http, host: endpoint.host, credentials })
  const authority = authorityOf(endpoint, credentials, tokens)
  return {
    endpoint,
    get scheme() {
      return authority.scheme
    },
    async send(call, context) {
      context.signal.throwIfAborted()
      const first = await attempt(endpoint, http, authority, call, context)
      if (first.answer.status !== 401 || !isRepeatable(call.body)) return settle(first, call, endpoint, judge)
      const scopes = authority.learn(first.answer, call.scopes)
      if (!scopes) return settle(first, call, endpoint, judge)
      await first.answer.discard()
      return settle(await attempt(endpoint, http, authority, { ...call, scopes }, context), call, endpoint, judge)
    },
  }
}

interface Attempted {
  readonly answer: HttpAnswer
  readonly signedIn: boolean
}

function attempt(endpoint: Endpoint, http: Http, authority: Authority, call: Call, context: Context) {
  const url = new URL(call.to, endpoint.origin)
  return authority.authorize(call.scopes, context, async (authorization, signedIn): Promise<Attempted> => {
    const { method, headers = {}, body, effect, again = isReading(method) } = call
    const request = { method, url, headers, body, effect, signal: context.signal, again }
    return { answer: await follow(http, request, endpoint.origin, authorization), signedIn }
  })
}

/** Authorization goes to the registry itself, never on to where it redirects: that would leak it, and signed addresses refuse it. */
async function follow(http: Http, request: Repeatable, origin: string, authorization: string | undefined) {
  let url = request.url
  for (let count = 0; ; count++) {
    const own = authorization !== undefined && url.origin === origin
    const headers = own ? { ...request.headers, authorization } : request.headers
    const answer = await sendRepeating(http, { ...request, url, headers })
    const location = answer.header('location')
    if (!isReading(request.method) || !redirects.has(answer.status) || location === undefined) return answer
    await answer.discard()
    url = new URL(location, url)
    if (count === maximumRedirects) throw tooManyRedirects(url)
  }
}

interface Repeatable extends HttpRequest {
  readonly again: boolean
}

/** A kept connection may have been closed by the far side just now: what does no harm is repeated once. */
async function sendRepeating(http: Http, request: Repeatable): Promise<HttpAnswer> {
  try {
    return await http.send(request)
  } catch (error) {
    const lost = KiwiError.is(error) && error.code === 'REGISTRY_UNREACHABLE' && error.retryable
    if (!lost || !request.again) throw error
    return http.send(request)
  }
}

function tooManyRedirects(url: URL): KiwiError {
  return new KiwiError('REGISTRY_FAILED', `${url.host} redirects again and again`, { evidence: { host: url.host } })
}

async function settle(
  { answer, signedIn }: Attempted,
  call: Call,
  { host }: Endpoint,
  judge: Judge | undefined,
): Promise<HttpAnswer> {
  if (call.expect.includes(answer.status)) return answer
  throw await answerError(answer, { doing: call.doing, host, signedIn, judge })
}

function isReading(method: HttpRequest['method']): boolean {
  return method === 'GET' || method === 'HEAD'
}

function isRepeatable(body: Call['body']): boolean {
  return body === undefined || body instanceof Uint8Array
}

import type { Context, Effect } from '@kiwi/core'
import { KiwiError } from '@kiwi/core'
import { type Authority, authorityOf } from './authority.js'
import type { Http, HttpAnswer, HttpRequest } from './connect.js'
import type { Credentials } from './credentials.js'
import type { Endpoint } from './endpoint.js'
import { answerError, type Judge, neverSent } from './errors.js'
import { isPassing, passing, type RetryOptions, statusOf, type Tries, triesOf } from './retry.js'
import { tokenCache } from './token.js'

/** Speaks to one registry: signs in when asked to, follows redirects, tries again what may pass, turns refusals into errors. */
export interface Client {
  readonly endpoint: Endpoint
  readonly scheme: Authority['scheme']
  /** Resolves with an answer whose status is one of `expect`. */
  send(call: Call, context: Context): Promise<HttpAnswer>
  /** As `send`, with the body up to the limit; asked for again when it is cut. */
  read(call: Call, limitBytes: number, context: Context): Promise<ReadAnswer>
  /** Counts the tries of a transfer that takes several requests. */
  tries(): Tries
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
  /** May be sent again when it is not known whether it arrived. Default: GET and HEAD. */
  readonly again?: boolean | undefined
  /** For a question whose first failure is an answer. Default: as the client was told. */
  readonly tries?: number | undefined
}

export interface ReadAnswer {
  readonly answer: HttpAnswer
  readonly bytes: Uint8Array
  /** Whether the body goes on after the limit. */
  readonly cutOff: boolean
}

export interface ClientOptions {
  /** The vendor's own reading of refusals. */
  readonly judge?: Judge | undefined
  readonly retry?: RetryOptions | undefined
}

const redirects = new Set([301, 302, 303, 307, 308])
const maximumRedirects = 5

export function clientOf(
  endpoint: Endpoint,
  http: Http,
  credentials: Credentials,
  { judge, retry = {} }: ClientOptions = {},
): Client {
  const tokens = tokenCache({ http, host: endpoint.host, credentials })
  const authority = authorityOf(endpoint, credentials, tokens)
  const line: Line = { endpoint, http, authority, judge }
  const triesFor = ({ tries = retry.tries }: Pick<Call, 'tries'>) => triesOf({ ...retry, tries })
  return {
    endpoint,
    get scheme() {
      return authority.scheme
    },
    send: (call, context) => sendRepeating(line, call, triesFor(call), context),
    async read(call, limitBytes, context) {
      const tries = triesFor(call)
      for (;;) {
        const answer = await sendRepeating(line, call, tries, context)
        try {
          return { answer, ...(await readUpTo(answer, limitBytes)) }
        } catch (error) {
          if (!isPassing(error)) throw error
          await tries.next(error, context)
        }
      }
    },
    tries: () => triesFor({}),
  }
}

interface Line {
  readonly endpoint: Endpoint
  readonly http: Http
  readonly authority: Authority
  readonly judge: Judge | undefined
}

async function sendRepeating(line: Line, call: Call, tries: Tries, context: Context): Promise<HttpAnswer> {
  for (;;) {
    context.signal.throwIfAborted()
    try {
      return await sendSigned(line, call, context)
    } catch (error) {
      if (!isPassing(error) || !mayRepeat(call, error)) throw error
      await tries.next(error, context)
    }
  }
}

/** What may have been done is repeated only where that does no harm. */
function mayRepeat(call: Call, error: unknown): boolean {
  if (!isRepeatable(call.body)) return false
  if (call.again ?? isReading(call.method)) return true
  return neverSent(error) || statusOf(error) === 429
}

/** One try; a refusal that asks for a sign-in is not one. */
async function sendSigned(line: Line, call: Call, context: Context): Promise<HttpAnswer> {
  const first = await attempt(line, call, context)
  if (first.answer.status !== 401) return settle(first, line, call, context)
  const { answer: refusal } = first
  const scopes = line.authority.learn(refusal, call.scopes) ?? (await learnAtRoot(refusal, line, call, context))
  if (!scopes || !isRepeatable(call.body)) return settle(first, line, call, context)
  await first.answer.discard()
  return settle(await attempt(line, { ...call, scopes }, context), line, call, context)
}

/** Some refuse without a word of how to sign in, but for where the specification has clients ask first. */
async function learnAtRoot(refusal: HttpAnswer, { endpoint, http, authority }: Line, call: Call, context: Context) {
  if (refusal.headers('www-authenticate').length > 0 || authority.scheme !== 'none') return undefined
  const root = await http.send({ method: 'GET', url: new URL('/v2/', endpoint.origin), headers: {}, context })
  await root.discard()
  return root.status === 401 ? authority.learn(root, call.scopes) : undefined
}

interface Attempted {
  readonly answer: HttpAnswer
  readonly signedIn: boolean
}

function attempt({ endpoint, http, authority }: Line, call: Call, context: Context): Promise<Attempted> {
  const url = new URL(call.to, endpoint.origin)
  return authority.authorize(call.scopes, context, async (authorization, signedIn) => {
    const { method, headers = {}, body, effect } = call
    const request = { method, url, headers, body, effect, context }
    return { answer: await follow(http, request, endpoint.origin, authorization), signedIn }
  })
}

/** Authorization goes to the registry itself, never on to where it redirects: that would leak it, and signed addresses refuse it. */
async function follow(http: Http, request: HttpRequest, origin: string, authorization: string | undefined) {
  let url = request.url
  for (let count = 0; ; count++) {
    const own = authorization !== undefined && url.origin === origin
    const headers = own ? { ...request.headers, authorization } : request.headers
    const answer = await http.send({ ...request, url, headers })
    const location = answer.header('location')
    if (!isReading(request.method) || !redirects.has(answer.status) || location === undefined) return answer
    await answer.discard()
    url = URL.parse(location, url.href) ?? malformed(url)
    if (count === maximumRedirects) throw tooManyRedirects(url)
  }
}

function malformed({ host }: URL): never {
  throw new KiwiError('REGISTRY_FAILED', `${host} redirects to an address that is malformed`, {
    retryable: false,
    evidence: { host },
  })
}

function tooManyRedirects(url: URL): KiwiError {
  return new KiwiError('REGISTRY_FAILED', `${url.host} redirects again and again`, { evidence: { host: url.host } })
}

async function settle(attempted: Attempted, line: Line, call: Call, context: Context): Promise<HttpAnswer> {
  const { answer, signedIn } = attempted
  if (call.expect.includes(answer.status)) return answer
  const told = call.method === 'HEAD' ? await explained(attempted, line, call, context) : answer
  const { host } = line.endpoint
  throw await answerError(told, { doing: call.doing, host, signedIn, judge: line.judge })
}

/** A refused HEAD has no words; the same as GET has them. */
async function explained({ answer }: Attempted, line: Line, call: Call, context: Context): Promise<HttpAnswer> {
  if (answer.status >= 500 || passing.has(answer.status)) return answer
  try {
    const again = await attempt(line, { ...call, method: 'GET' }, context)
    if (again.answer.status === answer.status) return again.answer
    await again.answer.discard()
  } catch {
    context.signal.throwIfAborted() // any other failure: what is known is told
  }
  return answer
}

async function readUpTo(answer: HttpAnswer, limitBytes: number): Promise<Omit<ReadAnswer, 'answer'>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of answer.body) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size > limitBytes) break
  }
  return { bytes: Buffer.concat(chunks).subarray(0, limitBytes), cutOff: size > limitBytes }
}

function isReading(method: HttpRequest['method']): boolean {
  return method === 'GET' || method === 'HEAD'
}

function isRepeatable(body: Call['body']): boolean {
  return body === undefined || body instanceof Uint8Array
}

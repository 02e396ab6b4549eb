import { type Context, type Json, KiwiError } from '@kiwi/core'
import type { Http, HttpAnswer, HttpRequest } from '../connect.js'
import type { Login } from '../credentials.js'
import { identityTokenUser } from '../docker-config.js'
import { answerError } from '../errors.js'
import type { OpenedRegistry } from '../registry.js'
import { isPassing, type RetryOptions, triesOf } from '../retry.js'
import { pullScope } from '../scopes.js'
import { type Shape, shapeOf, shapesOf, textOf } from '../shape.js'
import { hubJudge } from './judge.js'

/** Docker Hub's own API (Docker's description: docs.docker.com/reference/api/hub/latest). */
export interface HubApi {
  /** Resolves with an answer whose status is one of `expect`. */
  send(call: HubCall, context: Context): Promise<HubAnswer>
  /** What a listing has, page by page as it is taken. */
  list(call: Pick<HubCall, 'path' | 'repository' | 'doing'>, context: Context): AsyncGenerator<Shape>
  /** The user or organization that the credentials are of; `undefined`: there are none. */
  user(repository: string, context: Context): Promise<string | undefined>
}

export interface HubCall {
  readonly method: HttpRequest['method']
  /** With `/v2`, encoded. */
  readonly path: string
  /** `NAMESPACE/NAME`, for logins that are of a namespace or a repository only. */
  readonly repository: string
  readonly query?: Readonly<Record<string, string>> | undefined
  readonly expect: readonly number[]
  /** For messages: `remove a tag`. */
  readonly doing: string
}

export interface HubAnswer {
  readonly status: number
  /** `{}` where it is no JSON object. */
  readonly body: Shape
}

export const apiHost = 'hub.docker.com'
const origin = `https://${apiHost}`
const limitBytes = 16 * 1024 * 1024
/** The most that it gives at a time. */
const pageSize = 100
const maximumPages = 10_000
/** Tokens are good for ten minutes ("AuthCreateTokenResponse"). */
const tokenLifeMs = 8 * 60_000

export function apiOf(
  { http, credentials }: Pick<OpenedRegistry, 'http' | 'credentials'>,
  { retry, now = () => performance.now() }: { readonly retry?: RetryOptions | undefined; readonly now?: () => number },
): HubApi {
  let kept: Kept | undefined
  const lend = <T>(repository: string, context: Context, use: (login: Login | undefined) => Promise<T>) =>
    credentials(context, use, [pullScope(repository)])
  const ask = async (call: HubCall, login: Login | undefined, context: Context) => {
    const known = kept && kept.user === login?.username && now() < kept.until ? kept : undefined
    const token = known?.token ?? (login && (await signIn(http, login, context)))
    if (login && token !== undefined && !known) kept = { user: login.username, token, until: now() + tokenLifeMs }
    return { answer: await http.send(requestOf(call, token, context)), isKnown: known !== undefined }
  }
  const once = (call: HubCall, context: Context): Promise<HttpAnswer> =>
    lend(call.repository, context, async (login) => {
      let { answer, isKnown } = await ask(call, login, context)
      if (answer.status === 401 && isKnown) {
        kept = undefined // it may have been taken back before its time
        await answer.discard()
        answer = (await ask(call, login, context)).answer
      }
      if (call.expect.includes(answer.status)) return answer
      throw await answerError(answer, { ...attemptAt(call.doing), signedIn: login !== undefined })
    })
  const send = async (call: HubCall, context: Context): Promise<HubAnswer> => {
    const tries = triesOf(retry)
    for (;;) {
      try {
        const answer = await once(call, context)
        return { status: answer.status, body: parse(await answer.text(limitBytes)) }
      } catch (error) {
        if (call.method === 'DELETE' || !isPassing(error)) throw error
        await tries.next(error, context)
      }
    }
  }
  return {
    send,
    async *list(call, context) {
      for (let page = 1; page <= maximumPages; page++) {
        const query = { page: `${page}`, page_size: `${pageSize}` }
        const { status, body } = await send({ ...call, method: 'GET', query, expect: [200, 404] }, context)
        const results = status === 404 ? [] : shapesOf(body.results)
        yield* results
        if (results.length === 0 || typeof body.next !== 'string') return
      }
    },
    user: (repository, context) => lend(repository, context, async (login) => login?.username),
  }
}

interface Kept {
  readonly user: string
  readonly token: string
  readonly until: number
}

function requestOf({ method, path, query = {} }: HubCall, token: string | undefined, context: Context): HttpRequest {
  const url = new URL(path, origin)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  const headers = { accept: 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) }
  return { method, url, headers, effect: method === 'DELETE' ? 'unknown' : 'none', context }
}

/** `POST /v2/auth/token` ("AuthCreateAccessToken"); of an organization access token the identifier is the organization's name. */
async function signIn(http: Http, { username, password }: Login, context: Context): Promise<string> {
  if (username === identityTokenUser)
    throw new KiwiError('REGISTRY_UNAUTHORIZED', `${apiHost} takes no identity token of a docker login`, {
      hint: 'Give a user name and an access token for Docker Hub, as dockerHub({ credentials }) or to docker login -u.',
      evidence: { host: apiHost },
    })
  const body: Json = { identifier: username, secret: password }
  const answer = await http.send({
    method: 'POST',
    url: new URL('/v2/auth/token', origin),
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify(body),
    context,
  })
  const attempt = attemptAt(`sign in to ${apiHost}`)
  if (answer.status !== 200) throw await answerError(answer, { ...attempt, signedIn: true })
  const token = textOf(parse(await answer.text(limitBytes)), 'access_token')
  if (token) return token
  throw new KiwiError('REGISTRY_FAILED', `${apiHost} gives no token`, { evidence: { host: apiHost } })
}

function attemptAt(doing: string) {
  return { doing, host: apiHost, judge: hubJudge }
}

/** Never quoted: it may hold a token. */
function parse(text: string): Shape {
  try {
    return shapeOf(JSON.parse(text))
  } catch {
    return {}
  }
}

import { type Context, type Json, KiwiError } from '@kiwi/core'
import type { HttpRequest } from '../connect.js'
import { answerError } from '../errors.js'
import type { OpenedRegistry } from '../registry.js'
import { isPassing, type RetryOptions, triesOf } from '../retry.js'
import { type Shape, shapesOf } from '../shape.js'
import { basicHeader } from '../token.js'
import { harborJudge } from './judge.js'

/** Harbor's own API, version 2.0 (its api/v2.0/swagger.yaml). */
export interface Api {
  readonly host: string
  /** Resolves with an answer whose status is one of `expect`. */
  send(call: ApiCall, context: Context): Promise<ApiAnswer>
  /** The body as JSON, of a call whose answer has one. */
  json(call: ApiCall, context: Context): Promise<unknown>
  /** What a listing has, page by page as it is taken. */
  list(call: Omit<ApiCall, 'method' | 'expect'>, context: Context): AsyncGenerator<Shape>
}

export interface ApiCall {
  readonly method: HttpRequest['method']
  /** Below `/api/v2.0`, encoded. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>> | undefined
  readonly body?: Json | undefined
  readonly expect: readonly number[]
  /** For messages: `read the quota of team`. */
  readonly doing: string
}

export interface ApiAnswer {
  readonly status: number
  /** Whether a user name was sent along. */
  readonly signedIn: boolean
}

const limitBytes = 16 * 1024 * 1024
/** The most that Harbor gives at a time. */
const pageSize = 100
const maximumPages = 10_000

export function apiOf(
  { endpoint, http, credentials }: Pick<OpenedRegistry, 'endpoint' | 'http' | 'credentials'>,
  retry: RetryOptions | undefined,
): Api {
  const { host, origin } = endpoint
  const once = (call: ApiCall, context: Context) =>
    credentials(context, async (login) => {
      const url = new URL(`/api/v2.0${call.path}`, origin)
      for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value)
      const body = call.body === undefined ? undefined : JSON.stringify(call.body)
      const headers = {
        accept: 'application/json',
        'x-is-resource-name': 'true', // a project may be called 42
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(login && { authorization: basicHeader(login.username, login.password) }),
      }
      const { method } = call
      const effect = isReading(method) ? 'none' : 'unknown'
      const answer = await http.send({ method, url, headers, body, effect, context })
      const signedIn = login !== undefined
      if (call.expect.includes(answer.status)) return { answer, signedIn }
      throw await answerError(answer, { doing: call.doing, host, signedIn, judge: harborJudge })
    })
  const repeating = async (call: ApiCall, context: Context) => {
    const tries = triesOf(retry)
    for (;;) {
      try {
        return await once(call, context)
      } catch (error) {
        if (!isReading(call.method) || !isPassing(error)) throw error
        await tries.next(error, context)
      }
    }
  }
  const json = async (call: ApiCall, context: Context) => {
    const { answer } = await repeating(call, context)
    return parse(await answer.text(limitBytes), call, host)
  }
  return {
    host,
    json,
    async send(call, context) {
      const { answer, signedIn } = await repeating(call, context)
      await answer.discard()
      return { status: answer.status, signedIn }
    },
    async *list(call, context) {
      for (let page = 1; page <= maximumPages; page++) {
        const query = { ...call.query, page: `${page}`, page_size: `${pageSize}` }
        const found = shapesOf(await json({ ...call, method: 'GET', expect: [200], query }, context))
        yield* found
        if (found.length < pageSize) return
      }
    },
  }
}

function isReading(method: HttpRequest['method']): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** The answer is never quoted: it may hold the secret of a robot. */
function parse(text: string, { doing }: ApiCall, host: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new KiwiError('REGISTRY_FAILED', `cannot ${doing}: ${host} does not answer as Harbor does`, {
      retryable: false,
      hint: 'Is that a Harbor, and its address without a path? A proxy before it has to pass /api/v2.0/ on too.',
      evidence: { host },
    })
  }
}

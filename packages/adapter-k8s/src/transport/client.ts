import type { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { refused, unanswered } from '../errors.js'
import { type Exchange, exchange, textOf } from './exchange.js'

/** Raw JSON over one pool of connections: what the server says arrives whole, fields that nobody knows yet included. */
export interface Client {
  readonly server: URL
  /** Of targets that name none. */
  readonly namespace: string
  /** Resolves with whatever the server answered. Rejects with `RUNTIME_UNREACHABLE` where it did not. */
  ask(request: Ask, signal: AbortSignal): Promise<Answer>
  /** Reads objects, `undefined` on 404. Rejects on every other refusal. */
  read<T>(request: { path: string; query?: Query }, signal: AbortSignal): Promise<T | undefined>
  /** The lines of an answer that goes on; ends when the server ends it, rejects when it breaks or is silent for `silentMs`. */
  lines(request: { path: string; query?: Query; silentMs: number }, signal: AbortSignal): AsyncIterable<string>
}

export type Query = Readonly<Record<string, string>>

export interface Ask {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Query
  readonly body?: unknown
  readonly contentType?: string
}

/** `body` is the parsed object, or text where the answer was not JSON (a proxy's error page). */
export interface Answer {
  readonly status: number
  readonly body: unknown
}

export interface Access {
  readonly agent: Agent
  readonly headers: Readonly<Record<string, string>>
}

export interface ClientOptions {
  readonly server: URL
  readonly namespace: string
  /** How to authenticate; `renew` after the server refused what was given before. */
  access(renew: boolean): Promise<Access>
}

const answerWithinMs = 30_000

export function createClient({ server, namespace, access }: ClientOptions): Client {
  const send = async (request: Ask, within: { answerMs: number; silentMs: number }, signal: AbortSignal) => {
    const go = async (renew: boolean) => {
      const { agent, headers } = await access(renew)
      return exchange(server, { ...request, agent, headers, ...within }, signal)
    }
    const first = await go(false)
    if (first.response.statusCode !== 401) return first
    first.response.resume()
    return go(true) // nobody was let in, so nothing was done: the one kind of write that may be sent again at once
  }
  const ask = async (request: Ask, signal: AbortSignal): Promise<Answer> => {
    let attempt = 0
    for (;;) {
      try {
        return await answerOf(await send(request, { answerMs: answerWithinMs, silentMs: answerWithinMs }, signal))
      } catch (thrown) {
        const error = unanswered(thrown, { request, server, signal })
        if (signal.aborted || request.method !== 'GET' || !error.retryable || ++attempt > 2) throw error
        await sleep(100 * attempt, undefined, { signal }).catch(() => undefined)
      }
    }
  }
  return {
    server,
    namespace,
    ask,
    async read<T>(request: { path: string; query?: Query }, signal: AbortSignal) {
      const answer = await ask({ method: 'GET', ...request }, signal)
      if (answer.status === 404) return undefined
      if (answer.status >= 300) throw refused(answer, { method: 'GET', path: request.path })
      return answer.body as T // the API server is trusted for the shape of what was asked for
    },
    async *lines({ silentMs, ...request }, signal) {
      const asked: Ask = { method: 'GET', ...request }
      try {
        const answer = await send(asked, { answerMs: answerWithinMs, silentMs }, signal)
        const status = answer.response.statusCode ?? 0
        if (status !== 200) throw refused(await answerOf(answer), asked)
        yield* linesOf(answer)
      } catch (thrown) {
        throw unanswered(thrown, { request: asked, server, signal })
      }
    },
  }
}

async function answerOf(answer: Exchange): Promise<Answer> {
  const text = await textOf(answer)
  const status = answer.response.statusCode ?? 0
  if (!(answer.response.headers['content-type'] ?? '').includes('json')) return { status, body: text }
  return { status, body: JSON.parse(text) }
}

/** Whole lines only: half a line is what a broken connection leaves. */
async function* linesOf({ chunks }: Exchange): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of chunks) {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    yield* parts
  }
}

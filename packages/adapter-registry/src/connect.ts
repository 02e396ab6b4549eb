import type { Readable } from 'node:stream'
import { type Effect, KiwiError } from '@kiwi/core'
import type { Agent, Dispatcher } from 'undici'
import { unreachable } from './errors.js'

/** One HTTP exchange; nothing of the HTTP library is seen outside this file. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined
  readonly signal: AbortSignal
  /** What a lost connection means for the far side. Default `'none'`. */
  readonly effect?: Effect | undefined
}

export interface HttpAnswer {
  readonly status: number
  /** Where it came from, after redirects. */
  readonly url: URL
  /** The first value of a header. */
  header(name: string): string | undefined
  /** Every value of a header. */
  headers(name: string): readonly string[]
  readonly body: AsyncIterable<Uint8Array>
  /** The body, cut off after that many bytes. */
  text(limitBytes: number): Promise<string>
  /** Reads the rest away, so that the connection can be used again. */
  discard(): Promise<void>
}

export interface Http {
  send(request: HttpRequest): Promise<HttpAnswer>
  close(): Promise<void>
}

/** A pool of kept-alive HTTP/1.1 connections, opened with the first request. `certificateAuthority`: PEM, trusted beside nothing else. */
export function connect(options: { readonly certificateAuthority?: string | undefined } = {}): Http {
  let agent: Promise<Agent> | undefined
  return {
    async send(request) {
      agent ??= openAgent(options.certificateAuthority)
      return send(await agent, request)
    },
    close: async () => (await agent)?.destroy(),
  }
}

/** The HTTP library takes longer to load than all else here: whoever asks no registry does not wait for it. */
async function openAgent(certificateAuthority: string | undefined): Promise<Agent> {
  const { Agent } = await import('undici')
  return new Agent({
    allowH2: false, // registries were measured to be slower with it
    connections: 8,
    keepAliveTimeout: 30_000, // below what servers and balancers keep, so that they seldom close first
    bodyTimeout: 120_000,
    connect: { ...(certificateAuthority !== undefined && { ca: certificateAuthority }) },
  })
}

async function send(agent: Agent, request: HttpRequest): Promise<HttpAnswer> {
  const { method, url, headers, signal } = request
  const body = watch(request.body)
  try {
    const path = `${url.pathname}${url.search}`
    const answer = await agent.request({ origin: url.origin, path, method, headers, body: body.content, signal })
    return toAnswer(answer, url, request)
  } catch (error) {
    throw body.failure() ?? translate(error, request)
  }
}

/** Keeps apart what failed: the content we read from, or the connection that we write to. */
function watch(body: HttpRequest['body']): { content: string | Uint8Array | Readable | null; failure(): unknown } {
  if (body === undefined) return { content: null, failure: () => undefined }
  if (typeof body === 'string' || body instanceof Uint8Array) return { content: body, failure: () => undefined }
  let failure: unknown
  const content = async function* () {
    try {
      yield* body
    } catch (error) {
      failure = error
      throw error
    }
  }
  // the library writes what is iterable as it comes, at two thirds of what a Readable costs; its types do not say so
  return { content: content() as unknown as Readable, failure: () => failure }
}

function toAnswer(answer: Dispatcher.ResponseData, url: URL, request: HttpRequest): HttpAnswer {
  const headers = (name: string) => [answer.headers[name] ?? []].flat()
  const body = readBody(answer, request)
  return {
    status: answer.statusCode,
    url,
    header: (name) => headers(name)[0],
    headers,
    body,
    text: (limitBytes) => readText(body, limitBytes),
    discard: () => answer.body.dump({ limit: 64 * 1024 }).catch(() => undefined),
  }
}

async function* readBody(answer: Dispatcher.ResponseData, request: HttpRequest): AsyncGenerator<Uint8Array> {
  try {
    yield* answer.body
  } catch (error) {
    throw translate(error, request)
  }
}

async function readText(body: AsyncIterable<Uint8Array>, limitBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size >= limitBytes) break
  }
  return Buffer.concat(chunks).subarray(0, limitBytes).toString()
}

/** A cancelled call rejects with the reason of its signal. */
function translate(error: unknown, { url, signal, effect }: HttpRequest): unknown {
  if (signal.aborted) return signal.reason
  return KiwiError.is(error) ? error : unreachable(url, error, effect ?? 'none')
}

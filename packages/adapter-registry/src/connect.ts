import type { LookupFunction } from 'node:net'
import type { Readable } from 'node:stream'
import { type Context, type Effect, KiwiError } from '@kiwi/core'
import type { Dispatcher } from 'undici'
import type { Endpoint } from './endpoint.js'
import { unreachable } from './errors.js'
import { guardOf } from './guard.js'
import { type ClientCertificate, type Identity, identities } from './identity.js'
import { maskOf } from './masked.js'
import { proxyFor, throughProxy } from './proxy.js'

/** One HTTP exchange; nothing of the HTTP library is seen outside this file. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined
  readonly context: Pick<Context, 'signal' | 'secret'>
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
  /** The body, cut off after that many bytes; of a refusal, without what the request was signed with. */
  text(limitBytes: number): Promise<string>
  /** Reads the rest away, so that the connection can be used again. */
  discard(): Promise<void>
}

export interface Http {
  send(request: HttpRequest): Promise<HttpAnswer>
  close(): Promise<void>
}

/** How the connections to one registry are made. */
export interface ConnectOptions {
  /** PEM; trusted beside nothing else. */
  readonly certificateAuthority?: string | undefined
  /** Shown to the registry itself, and to nobody whom it sends to. */
  readonly clientCertificate?: ClientCertificate | undefined
}

/**
 * Kept-alive HTTP/1.1 connections for what one registry says, opened with the first request: through the proxy that the environment names,
 * to no address that `guard.ts` refuses. Behind a proxy a host is judged as it is written: the proxy alone asks what its name means.
 */
export function connect(endpoint: Pick<Endpoint, 'host' | 'origin'>, options: ConnectOptions = {}): Http {
  const guard = guardOf(endpoint)
  const identityOf = identities(endpoint.host, options)
  const pools = new Map<string, Dispatcher>()
  return {
    async send(request) {
      const { url } = request
      guard.requireAllowed(url)
      const proxy = proxyFor(url)
      const own = url.origin === endpoint.origin
      const library = await import('undici') // takes longer to load than all else here: whoever asks no registry does not wait for it
      const tls = await identityOf(own, request.context)
      const key = `${own} ${proxy?.href}`
      const pool = pools.get(key) ?? openPool(library, proxy, { ...tls, lookup: own ? guard.own : guard.other })
      pools.set(key, pool)
      return send(pool, request, proxy)
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()))
    },
  }
}

const poolOptions = {
  allowH2: false, // registries were measured to be slower with it
  connections: 8,
  keepAliveTimeout: 30_000, // below what servers and balancers keep, so that they seldom close first
  headersTimeout: 300_000, // some registries hash a whole blob before they answer; a body on its way counts as progress
  bodyTimeout: 120_000, // between two pieces
}
const connectTimeoutMs = 10_000

function openPool(
  { Agent, Pool, ProxyAgent }: typeof import('undici'),
  proxy: URL | undefined,
  { lookup, ...tls }: Identity & { readonly lookup: LookupFunction },
): Dispatcher {
  if (!proxy) return new Agent({ ...poolOptions, connect: { ...tls, lookup, timeout: connectTimeoutMs } })
  return new ProxyAgent({
    ...poolOptions,
    uri: proxy.href,
    requestTls: { ...tls, allowH2: false },
    proxyTls: { ...(tls.ca !== undefined && { ca: tls.ca }) },
    factory: (origin, options) => new Pool(origin, { ...poolOptions, ...options }),
  })
}

async function send(pool: Dispatcher, request: HttpRequest, proxy: URL | undefined): Promise<HttpAnswer> {
  const { method, url, headers, context } = request
  const { signal } = context
  const body = watch(request.body)
  try {
    const path = `${url.pathname}${url.search}`
    const answer = await pool.request({ origin: url.origin, path, method, headers, body: body.content, signal })
    return toAnswer(answer, url, request)
  } catch (error) {
    throw body.failure() ?? translate(error, request, proxy)
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
  const mask = answer.statusCode < 400 ? (text: string) => text : maskOf(request)
  const headers = (name: string) => [answer.headers[name] ?? []].flat().map(mask)
  const body = readBody(answer, request)
  return {
    status: answer.statusCode,
    url,
    header: (name) => headers(name)[0],
    headers,
    body,
    text: async (limitBytes) => mask(await readText(body, limitBytes)),
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
function translate(error: unknown, { url, context, effect }: HttpRequest, proxy?: URL): unknown {
  if (context.signal.aborted) return context.signal.reason
  if (KiwiError.is(error)) return error
  const failure = unreachable(url, error, effect ?? 'none')
  return proxy ? throughProxy(failure, proxy, url) : failure
}

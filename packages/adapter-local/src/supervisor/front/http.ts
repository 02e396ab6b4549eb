import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream'
import { connectTo } from './connect.js'
import { requestHeaders, responseHeaders } from './headers.js'
import type { Pick, Upstream } from './pick.js'
import { forwardUpgrade } from './upgrade.js'

/** Longer than most clients keep a connection, so that it is they who close it and no request crosses our closing. */
const keepAliveMs = 75_000
/** Bytes; more than applications take by default: it is they who say that it is too much. */
const maxHeaderSize = 64 * 1024

/** A server that forwards each request to the instance whose turn it is at that moment, whatever connection it came on. */
export function httpFront(pick: Pick): Server {
  const server = createServer({ keepAliveTimeout: keepAliveMs, requestTimeout: 0, maxHeaderSize })
  server.on('request', (request, response) => void forward(request, response, pick))
  server.on('upgrade', (request, socket, head) => void forwardUpgrade(request, socket, head, pick))
  return server
}

/** `unsent`: nothing has reached the instance. `stale`: a kept connection was closed under a request that may be sent again. */
type Outcome = 'answered' | 'broken' | 'unsent' | 'stale'

async function forward(request: IncomingMessage, response: ServerResponse, pick: Pick): Promise<void> {
  const first = pick()
  if (first === undefined) return refuse(response, 503, 'No instance is ready.')
  let outcome = await exchange(request, response, first, { reuse: isRepeatable(request) })
  if (outcome === 'unsent' || outcome === 'stale') {
    const second = pick(first) ?? (outcome === 'stale' ? first : undefined)
    if (second !== undefined) outcome = await exchange(request, response, second, { reuse: false })
  }
  if (outcome !== 'answered') refuse(response, 502, 'The instance did not answer.')
}

async function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  instance: Upstream,
  { reuse }: { readonly reuse: boolean },
): Promise<Outcome> {
  instance.enter()
  try {
    const socket = reuse ? undefined : await connectTo(instance)
    return await send(request, response, instance, socket)
  } catch {
    return 'unsent'
  } finally {
    instance.leave()
  }
}

/** Without a socket, a kept connection of the instance is used where there is one. */
function send(
  request: IncomingMessage,
  response: ServerResponse,
  instance: Upstream,
  socket: Socket | undefined,
): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const upstream = httpRequest({
    ...instance.address,
    method: request.method,
    path: request.url,
    headers: requestHeaders(request),
    maxHeaderSize,
    ...(socket === undefined ? { agent: instance.agent } : { createConnection: () => socket }),
  })
  upstream.on('response', (answer) => {
    response.sendDate = false
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, responseHeaders(answer))
    answer.on('end', () => response.addTrailers(pairs(answer.rawTrailers)))
    pipeline(answer, response, () => resolve('answered'))
  })
  upstream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') resolve('unsent')
    else resolve(upstream.reusedSocket && socket === undefined ? 'stale' : 'broken')
  })
  response.on('close', () => {
    upstream.destroy()
    resolve('answered')
  })
  if (hasBody(request)) request.pipe(upstream)
  else upstream.end()
  return promise
}

/** May be sent twice without harm (RFC 9110, 9.2.2), and can be: there is no body that is gone after the first time. */
function isRepeatable(request: IncomingMessage): boolean {
  return ['GET', 'HEAD', 'OPTIONS'].includes(request.method ?? '') && !hasBody(request)
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

function refuse(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) return void response.destroy()
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
  response.end(`${text}\n`)
}

function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [raw[index * 2] ?? '', raw[index * 2 + 1] ?? ''])
}

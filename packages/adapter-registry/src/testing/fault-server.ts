import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What goes wrong with one request. */
export type Fault =
  /** Refused before anything is done; the body of the request is not read. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers?: Record<string, string>
      readonly body?: string
    }
  /** The connection is reset after that many bytes of the body, on its way in or out. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** The answer ends well, and too early. */
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** Everything is done, and the connection reset before the answer. */
  | { readonly kind: 'lost-answer' }
  | { readonly kind: 'lost-location' }
  /** Every upload is forgotten. */
  | { readonly kind: 'purge' }
  /** Every token is forgotten. */
  | { readonly kind: 'expire' }
  | { readonly kind: 'damage' }
  | { readonly kind: 'trickle'; readonly pieceBytes: number; readonly pauseMs: number }

/** One request, as the server saw it. */
export interface Exchange {
  readonly kind: 'ping' | 'token' | 'start' | 'upload' | 'blob' | 'manifest' | 'other'
  readonly method: string
  readonly path: string
  readonly range: string | undefined
  /** Bytes that the upload had before. */
  readonly hadBytes: number
  /** Bytes of the request's body that were read. */
  bytes: number
  status: number | 'reset'
}

export interface FaultServerOptions {
  /** Asked for each request, `count` from 1 for each method and kind. */
  readonly fault?: ((exchange: Exchange, count: number) => Fault | undefined) | undefined
  /** Asks for a token, which the token server gives for this login. */
  readonly login?: { readonly username: string; readonly password: string } | undefined
  /** Says that it is made of CNCF distribution. Default true. */
  readonly distribution?: boolean | undefined
  /** Forgets an upload that was cut, as CNCF distribution does. Default false. */
  readonly forgetsCut?: boolean | undefined
}

export interface FaultServer extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly blobs: Map<string, Buffer>
  /** By tag and by digest. */
  readonly manifests: Map<string, { readonly bytes: Buffer; readonly type: string }>
  readonly uploads: Map<string, Buffer[]>
  readonly exchanges: readonly Exchange[]
  /** Every token that was ever given. */
  readonly tokens: readonly string[]
}

interface World extends Omit<FaultServer, 'host' | typeof Symbol.asyncDispose> {
  readonly exchanges: Exchange[]
  readonly tokens: string[]
  readonly valid: Set<string>
  readonly counts: Map<string, number>
  readonly options: FaultServerOptions
}

/** A registry in memory whose requests go wrong as told; its record is what it saw, not what anybody says. */
export async function faultServer(options: FaultServerOptions = {}): Promise<FaultServer> {
  const world: World = {
    blobs: new Map(),
    manifests: new Map(),
    uploads: new Map(),
    exchanges: [],
    tokens: [],
    valid: new Set(),
    counts: new Map(),
    options,
  }
  const server = createServer((request, response) => {
    request.on('error', () => undefined)
    const { socket } = request // the request lets go of it when it is not read to its end
    serve(world, request, response, () => socket.resetAndDestroy()).catch(() => socket.resetAndDestroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    ...world,
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`, // it listens on a port, not on a path
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

interface Asked {
  readonly world: World
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly reset: () => void
  readonly url: URL
  readonly exchange: Exchange
  readonly fault: Fault | undefined
}

async function serve(
  world: World,
  request: IncomingMessage,
  response: ServerResponse,
  reset: () => void,
): Promise<void> {
  const { method = '', url: path = '/' } = request
  const url = new URL(path, `http://${request.headers.host}`)
  const kind = kindOf(method, url.pathname)
  const hadBytes = sizeOf(world.uploads.get(idOf(url)) ?? [])
  const range = request.headers['content-range'] ?? request.headers.range
  const exchange: Exchange = { kind, method, path, range, hadBytes, bytes: 0, status: 'reset' }
  const key = `${method} ${kind}`
  const count = (world.counts.get(key) ?? 0) + 1
  world.counts.set(key, count)
  world.exchanges.push(exchange)
  const fault = world.options.fault?.(exchange, count)
  const asked: Asked = { world, request, response, reset, url, exchange, fault }
  if (fault?.kind === 'purge') world.uploads.clear()
  if (fault?.kind === 'expire') world.valid.clear()
  if (fault?.kind === 'answer') return answer(asked, fault.status, fault.headers, fault.body)
  if (kind === 'token') return giveToken(asked)
  if (!isSignedIn(asked)) {
    const challenge = `Bearer realm="http://${request.headers.host}/token",service="fault"`
    return refuse(asked, 401, 'UNAUTHORIZED', { 'www-authenticate': challenge })
  }
  if (kind === 'start') return start(asked)
  if (kind === 'upload') return goOn(asked)
  if (kind === 'blob') return giveBlob(asked)
  if (kind === 'manifest') return manifest(asked)
  return answer(asked, kind === 'ping' ? 200 : 404)
}

function kindOf(method: string, path: string): Exchange['kind'] {
  if (path === '/token') return 'token'
  if (path === '/v2/') return 'ping'
  if (path.endsWith('/blobs/uploads/') && method === 'POST') return 'start'
  if (path.includes('/blobs/uploads/')) return 'upload'
  if (path.includes('/blobs/')) return 'blob'
  return path.includes('/manifests/') ? 'manifest' : 'other'
}

async function giveToken(asked: Asked): Promise<void> {
  const { world, request } = asked
  const { username, password } = world.options.login ?? { username: '', password: '' }
  const wanted = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  if (request.headers.authorization !== wanted) return refuse(asked, 401, 'UNAUTHORIZED')
  const token = createHash('sha256').update(`${username}${world.tokens.length}`).digest('base64url')
  world.tokens.push(token)
  world.valid.add(token)
  answer(asked, 200, { 'content-type': 'application/json' }, JSON.stringify({ token, expires_in: 300 }))
}

function isSignedIn({ world, request }: Asked): boolean {
  return !world.options.login || world.valid.has(request.headers.authorization?.replace('Bearer ', '') ?? '')
}

function start(asked: Asked): void {
  const { world, url } = asked
  const mount = url.searchParams.get('mount')
  if (mount && world.blobs.has(mount)) {
    answer(asked, 201, { location: `/v2/web/blobs/${mount}` })
    return
  }
  const id = String(world.counts.get('POST start'))
  world.uploads.set(id, [])
  accepted(asked, 202, id, [])
}

async function goOn(asked: Asked): Promise<void> {
  const { world, request, exchange, url, fault } = asked
  const id = idOf(url)
  const chunks = world.uploads.get(id)
  if (!chunks) return refuse(asked, 404, 'BLOB_UPLOAD_UNKNOWN')
  if (request.method === 'GET') return accepted(asked, 204, id, chunks)
  if (request.method === 'DELETE') {
    world.uploads.delete(id)
    return answer(asked, 204)
  }
  const first = /^(\d+)-/.exec(exchange.range ?? '')?.[1]
  if (first !== undefined && Number(first) !== sizeOf(chunks)) return refuse(asked, 416, 'RANGE_INVALID')
  const whole = await receive(asked, chunks)
  if (!whole && world.options.forgetsCut) world.uploads.delete(id)
  if (!whole) return asked.reset()
  if (request.method === 'PATCH') return accepted(asked, 202, id, chunks)
  const bytes = Buffer.concat(chunks)
  world.uploads.delete(id)
  const digest = digestOf(bytes)
  if (digest !== url.searchParams.get('digest') || fault?.kind === 'damage') return refuse(asked, 400, 'DIGEST_INVALID')
  world.blobs.set(digest, bytes)
  answer(asked, 201, { location: `/v2/web/blobs/${digest}` })
}

/** `false` when it was cut. */
async function receive({ request, exchange, fault }: Asked, chunks: Buffer[]): Promise<boolean> {
  try {
    for await (const chunk of request) {
      const left = fault?.kind === 'cut' ? fault.afterBytes - exchange.bytes : chunk.length
      const part = chunk.subarray(0, Math.max(0, left))
      chunks.push(part)
      exchange.bytes += part.length
      if (left <= chunk.length && fault?.kind === 'cut') return false
      if (fault?.kind === 'trickle') await sleep(fault.pauseMs)
    }
  } catch {
    return false
  }
  return fault?.kind !== 'cut'
}

async function giveBlob(asked: Asked): Promise<void> {
  const { world, request, response, url, exchange, fault } = asked
  const bytes = world.blobs.get(url.pathname.slice(url.pathname.lastIndexOf('/') + 1))
  if (!bytes) return refuse(asked, 404, 'BLOB_UNKNOWN')
  if (request.method === 'HEAD') return answer(asked, 200, { 'content-length': String(bytes.length) })
  const from = Number(/^bytes=(\d+)-/.exec(exchange.range ?? '')?.[1] ?? 0)
  const rest = Buffer.from(bytes.subarray(from))
  if (fault?.kind === 'damage') rest[0] = (rest[0] ?? 0) ^ 1
  const length = fault?.kind === 'truncate' ? {} : { 'content-length': String(rest.length) }
  const ranged = from > 0 && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }
  exchange.status = from > 0 ? 206 : 200
  response.writeHead(exchange.status, { ...length, ...ranged, etag: `"${digestOf(bytes)}"` })
  const end = fault?.kind === 'truncate' || fault?.kind === 'cut' ? fault.afterBytes : rest.length
  const piece = fault?.kind === 'trickle' ? fault.pieceBytes : 64 * 1024
  for (let at = 0; at < Math.min(end, rest.length); at += piece) {
    await new Promise((resolve) => response.write(rest.subarray(at, Math.min(at + piece, end)), resolve))
    if (fault?.kind === 'trickle') await sleep(fault.pauseMs)
  }
  if (fault?.kind === 'cut' || fault?.kind === 'lost-answer') {
    await sleep(1)
    asked.reset()
  } else response.end()
}

async function manifest(asked: Asked): Promise<void> {
  const { world, request, url, fault, exchange } = asked
  const reference = url.pathname.slice(url.pathname.lastIndexOf('/') + 1)
  if (request.method === 'PUT') {
    const chunks: Buffer[] = []
    if (!(await receive(asked, chunks))) return asked.reset()
    const bytes = Buffer.concat(chunks)
    if (!isWhole(world, bytes)) return refuse(asked, 400, 'MANIFEST_BLOB_UNKNOWN')
    const stored = { bytes, type: request.headers['content-type'] ?? '' }
    world.manifests.set(reference, stored).set(digestOf(bytes), stored)
    return answer(asked, 201, { 'docker-content-digest': digestOf(bytes) })
  }
  const found = world.manifests.get(reference)
  if (!found) return refuse(asked, 404, 'MANIFEST_UNKNOWN')
  const headers = {
    'content-type': found.type,
    'docker-content-digest': digestOf(found.bytes),
    'content-length': String(found.bytes.length),
  }
  if (request.method === 'GET' && fault?.kind === 'cut') {
    exchange.status = 200
    asked.response.writeHead(200, headers).write(found.bytes.subarray(0, 10))
    await sleep(5)
    return asked.reset()
  }
  const body = fault?.kind === 'damage' ? Buffer.from(found.bytes).fill(32, 0, 1) : found.bytes
  answer(asked, 200, headers, request.method === 'GET' ? body : undefined)
}

function isWhole({ blobs, manifests }: World, bytes: Buffer): boolean {
  const { config, layers = [], manifests: children = [] } = JSON.parse(bytes.toString())
  const parts: readonly { digest: string }[] = [...(config ? [config] : []), ...layers, ...children]
  return parts.every(({ digest }) => blobs.has(digest) || manifests.has(digest))
}

function accepted(asked: Asked, status: number, id: string, chunks: readonly Buffer[]): void {
  const location = asked.fault?.kind === 'lost-location' ? {} : { location: `/v2/web/blobs/uploads/${id}` }
  answer(asked, status, { ...location, range: `0-${Math.max(0, sizeOf(chunks) - 1)}` })
}

function refuse(asked: Asked, status: number, code: string, headers: Record<string, string> = {}): void {
  const body = JSON.stringify({ errors: [{ code, message: code.toLowerCase().replaceAll('_', ' ') }] })
  answer(asked, status, { ...headers, 'content-type': 'application/json' }, body)
}

function answer(asked: Asked, status: number, headers: Record<string, string> = {}, body?: string | Buffer): void {
  const { world, response, fault, exchange } = asked
  if (fault?.kind === 'lost-answer' || (fault?.kind === 'cut' && exchange.kind !== 'upload')) {
    asked.reset()
    return
  }
  exchange.status = status
  const version = world.options.distribution === false ? {} : { 'docker-distribution-api-version': 'registry/2.0' }
  response.writeHead(status, { ...version, ...headers }).end(body)
}

function idOf({ pathname }: URL): string {
  return pathname.slice(pathname.lastIndexOf('/') + 1)
}

function sizeOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0)
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

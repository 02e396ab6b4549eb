import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { KiwiError } from '@kiwi/core'
import { openStorage, type Storage } from '../storage/index.js'
import { type Answer, refuse } from './answer.js'
import { route } from './route.js'

export interface ServeRegistryOptions {
  /** Made when it is missing. Several processes may serve it at a time. */
  readonly directory: string
  /** Default 0: any free one. */
  readonly port?: number | undefined
  /** Default 127.0.0.1. There is no sign-in: whoever reaches the address may read and write. */
  readonly address?: string | undefined
  /** Lets the process end while the server runs. Default false. */
  readonly background?: boolean | undefined
}

export interface EmbeddedRegistryServer {
  /** `127.0.0.1:PORT` */
  readonly address: string
  /** Ends open connections and stops listening. */
  close(): Promise<void>
}

/** An upload that nobody touched for a day belongs to a client that is gone. */
const uploadLifeMs = 24 * 60 * 60 * 1000

/**
 * Serves a folder by the OCI distribution specification 1.1 over plain HTTP. Rejects with `REGISTRY_FAILED` when it cannot listen.
 * @example await using server = await serveRegistry({ directory: '/var/lib/kiwi/registry', port: 5000 })
 */
export async function serveRegistry(options: ServeRegistryOptions): Promise<EmbeddedRegistryServer & AsyncDisposable> {
  const { directory, port = 0, address = '127.0.0.1', background = false } = options
  const storage = openStorage(directory)
  const server = createServer((request, response) => void serve(storage, request, response))
  server.keepAliveTimeout = 65_000
  server.requestTimeout = 0 // a layer may take as long as it takes
  if (background) letProcessEnd(server)
  await listen(server, port, address)
  await storage.uploads.purge(uploadLifeMs)
  const close = () => stop(server)
  return { address: addressOf(server), close, [Symbol.asyncDispose]: close }
}

async function serve(storage: Storage, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    await send(response, await answer(storage, request, gone.signal))
  } catch {
    response.destroy() // the client went away, or a file failed in the middle of an answer
  }
}

async function answer(storage: Storage, request: IncomingMessage, signal: AbortSignal): Promise<Answer> {
  const { method = 'GET', url = '/', headers } = request
  const { pathname, searchParams: query } = new URL(url, 'http://registry.invalid')
  try {
    return await route(pathname, { storage, method, query, headers, body: request, signal })
  } catch (error) {
    const full = KiwiError.from(error).code === 'DISK_FULL'
    return refuse(full ? 507 : 500, 'UNKNOWN', full ? 'the disk is full' : 'the folder could not be read or written')
  }
}

async function send(response: ServerResponse, { status, headers, body }: Answer): Promise<void> {
  response.writeHead(status, { ...headers, 'docker-distribution-api-version': 'registry/2.0' })
  if (body === undefined || body instanceof Uint8Array) response.end(body)
  else await pipeline(Readable.from(body), response)
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new KiwiError('REGISTRY_FAILED', `the embedded registry cannot listen on ${host}:${port}`, {
      hint: 'Choose a free port, or 0 for any.',
      cause,
    })
  }
}

function addressOf(server: Server): string {
  const bound = server.address()
  if (bound === null || typeof bound === 'string') return ''
  return bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`
}

function letProcessEnd(server: Server): void {
  server.unref()
  server.on('connection', (socket: Socket) => socket.unref())
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}

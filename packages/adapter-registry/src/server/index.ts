import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { KiwiError } from '@kiwi/core'
import { openStorage, type Storage, uploadLifeMs } from '../storage/index.js'
import { type Answer, refuse } from './answer.js'
import { route } from './route.js'
import { type RuleOptions, type Rules, refusalOf, rulesOf } from './rules.js'
import { type SignIn, type SignInOptions, signInOf } from './sign-in.js'

export type { SignInOptions }

export interface ServeRegistryOptions extends RuleOptions {
  /** Made when it is missing. Several processes may serve it at a time. */
  readonly directory: string
  /** Default 0: any free one. */
  readonly port?: number | undefined
  /** Default 127.0.0.1. Without `signIn`, whoever reaches the address may read and write. */
  readonly address?: string | undefined
  /** Asks for user name and password (HTTP basic authentication). Default: everybody may do everything. */
  readonly signIn?: SignInOptions | undefined
  /** PEM. Default: plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly key: string } | undefined
  /** Lets the process end while the server runs. Default false. */
  readonly background?: boolean | undefined
}

export interface EmbeddedRegistryServer {
  /** `127.0.0.1:PORT` */
  readonly address: string
  /** Ends open connections and stops listening. */
  close(): Promise<void>
}

/**
 * Serves a folder by the OCI distribution specification 1.1. Rejects with `REGISTRY_FAILED` when it cannot listen.
 * @example await using server = await serveRegistry({ directory: '/var/lib/kiwi/registry', port: 5000 })
 */
export async function serveRegistry(options: ServeRegistryOptions): Promise<EmbeddedRegistryServer & AsyncDisposable> {
  const { directory, port = 0, address = '127.0.0.1', background = false, tls, signIn } = options
  const served: Served = { storage: openStorage(directory), rules: rulesOf(options), signIn: signInOf(signIn) }
  const listener = (request: IncomingMessage, response: ServerResponse) => void serve(served, request, response)
  const server = tls ? createSecureServer({ cert: tls.certificate, key: tls.key }, listener) : createServer(listener)
  server.keepAliveTimeout = 65_000
  server.requestTimeout = 0 // a layer may take as long as it takes
  if (background) letProcessEnd(server)
  await listen(server, port, address)
  const purging = served.rules.readOnly ? undefined : await purgeNowAndThen(served.storage)
  const close = async () => {
    clearInterval(purging)
    await stop(server)
  }
  return { address: addressOf(server), close, [Symbol.asyncDispose]: close }
}

interface Served {
  readonly storage: Storage
  readonly rules: Rules
  readonly signIn: SignIn
}

async function purgeNowAndThen({ uploads }: Storage): Promise<NodeJS.Timeout> {
  await uploads.purge(uploadLifeMs)
  return setInterval(() => void uploads.purge(uploadLifeMs).catch(() => undefined), uploadLifeMs / 24).unref()
}

async function serve(served: Served, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    await send(response, await answer(served, request, gone.signal))
  } catch {
    response.destroy() // the client went away, or a file failed in the middle of an answer
  }
}

async function answer(served: Served, request: IncomingMessage, signal: AbortSignal): Promise<Answer> {
  const { storage, rules, signIn } = served
  const { method = 'GET', headers } = request
  const url = URL.parse(request.url ?? '/', 'http://registry.invalid')
  if (!url) return refuse(400, 'NAME_INVALID', 'the request names no path')
  const { pathname, searchParams: query } = url
  try {
    const refusal = (await signIn.refusal(headers.authorization, method, pathname)) ?? refusalOf(rules, method)
    return refusal ?? (await route(pathname, { storage, rules, method, query, headers, body: request, signal }))
  } catch (error) {
    const full = KiwiError.from(error).code === 'DISK_FULL'
    return refuse(full ? 507 : 500, 'UNKNOWN', full ? 'the disk is full' : 'the folder could not be read or written')
  }
}

async function send(response: ServerResponse, { status, headers, body }: Answer): Promise<void> {
  const own = { 'docker-distribution-api-version': 'registry/2.0', 'x-content-type-options': 'nosniff' }
  const fields = Object.entries({ ...headers, ...own }).map(([name, value]) => [name, [value].flat()] as const)
  response.writeHead(status, Object.fromEntries(fields))
  if (body === undefined || body instanceof Uint8Array) response.end(body)
  else await pipeline(body, response)
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

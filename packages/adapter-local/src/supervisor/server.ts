import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { KiwiError } from '@kiwi/core'
import type { ActRequest, ClaimRequest } from './api.js'
import type { Supervisor } from './supervisor.js'

const longestWaitMs = 20_000
const stopped = new Error('the supervisor is about to end')

/** Ends the supervisor, once. */
export interface Stopper {
  readonly stopping: boolean
  /** Resolves when nothing runs any more. */
  stop(options: { readonly forget: boolean }): Promise<void>
}

/** Answers what `api.ts` lists. */
export function controlServer(supervisor: Supervisor, stopper: Stopper): Server {
  const server = createServer((request, response) => void answer(request, response))
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      reply(response, 200, await dispatch(request, response))
    } catch (error) {
      if (error === stopped) reply(response, 503, {})
      else reply(response, 409, KiwiError.from(error).toRecord())
    }
  }
  async function dispatch(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const url = new URL(request.url ?? '/', 'http://supervisor')
    if (stopper.stopping && url.pathname !== '/shutdown') throw stopped
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /ping':
        return {}
      case 'POST /claim':
        return supervisor.claim((await json(request)) as ClaimRequest) // the other side is this package, on a private socket
      case 'POST /act':
        return supervisor.act((await json(request)) as ActRequest)
      case 'GET /snapshot':
        return supervisor.snapshot(url.searchParams.get('after') ?? undefined, waiting(response))
      case 'GET /evidence':
        return supervisor.evidence(url.searchParams.get('of') ?? '')
      case 'POST /shutdown':
        return stopper.stop({ forget: url.searchParams.get('forget') === 'true' })
      default:
        throw new KiwiError('INTERNAL', `the supervisor does not know ${request.method} ${url.pathname}`)
    }
  }
  return server
}

function waiting(response: ServerResponse): AbortSignal {
  const closed = new AbortController()
  response.on('close', () => closed.abort())
  return AbortSignal.any([closed.signal, AbortSignal.timeout(longestWaitMs)])
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify(body ?? {}))
}

import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { serveRegistry } from '../../server/index.js'
import { temporaryDirectory } from '../../testing/image.js'
import { operationOf, undescribed } from './described.js'
import { answerApi, projectOf } from './fake-api.js'
import { serveV2 } from './fake-v2.js'
import { type Account, callerOf, errorBody, type FakeProject, type State, send } from './state.js'

export interface FakeHarbor extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly state: State
  readonly project: (name: string, more?: Partial<FakeProject>) => FakeProject
  /** `METHOD path` of every request so far. */
  readonly seen: readonly string[]
  /** What was asked or answered otherwise than Harbor's published description says. */
  readonly strange: readonly string[]
}

/** A Harbor as its published description and its sources say that it is; images lie in the embedded registry. */
export async function fakeHarbor(accounts: Readonly<Record<string, Account>>): Promise<FakeHarbor> {
  const directory = await temporaryDirectory()
  const registry = await serveRegistry({ directory: directory.path })
  const seen: string[] = []
  const strange: string[] = []
  const state: State = {
    accounts: new Map(Object.entries(accounts)),
    projects: new Map(),
    retentions: new Map(),
    robots: new Map(),
    tokens: new Map(),
    isReadOnly: false,
    isBroken: false,
    nextId: 100,
  }
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://harbor.invalid')
    seen.push(`${request.method} ${url.pathname}`)
    try {
      if (url.pathname === '/service/token') giveToken(state, request, url, response)
      else if (url.pathname.startsWith('/v2/')) await serveV2(state, registry.address, request, response)
      else strange.push(...(await serveApi(state, request, url, response)))
    } catch {
      response.destroy()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`, // it listens on a port, not on a path
    state,
    seen,
    strange,
    project(name, more) {
      const project = projectOf(state.nextId++, name, more)
      state.projects.set(name, project)
      return project
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
      await registry[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
}

/** For a wrong password too, only with no rights in it (src/core/service/token/creator.go). */
function giveToken(state: State, request: IncomingMessage, url: URL, response: ServerResponse): void {
  const caller = callerOf(state, request)
  if (!caller && !url.searchParams.has('scope')) {
    send(response, 401)
    return
  }
  const token = randomUUID()
  state.tokens.set(token, caller?.username ?? '')
  send(response, 200, { token, expires_in: 1800 })
}

async function serveApi(state: State, request: IncomingMessage, url: URL, response: ServerResponse) {
  const { method = 'GET' } = request
  const said = await text(request)
  const body = said === '' ? {} : JSON.parse(said)
  const found = operationOf(method, url.pathname)
  const { operation, parameters = [] } = found ?? {}
  const broken = { status: 500, body: errorBody('UNKNOWN', 'internal server error') }
  const asked = { id: operation?.id ?? '', parameters, query: url.searchParams, body, caller: callerOf(state, request) }
  const reply = state.isBroken ? broken : operation ? answerApi(state, asked) : { status: 404, body: undefined }
  send(response, reply.status, method === 'HEAD' ? undefined : reply.body)
  return undescribed({ method, url, request: body, status: reply.status, answer: reply.body })
}

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { testContext } from '@kiwi/core/testing'
import { embeddedRegistry } from '../../embedded/index.js'
import { fakeNetwork } from '../../testing/fake-network.js'
import { temporaryDirectory } from '../../testing/image.js'
import { undescribed } from './described.js'
import { answerApi } from './fake-api.js'
import { giveToken, serveV2 } from './fake-registry.js'
import { type FakeRepository, type HubState, tagsIn } from './state.js'

export interface FakeAccount {
  readonly secret: string
  readonly kind: 'user' | 'organization'
  /** What the access token allows. */
  readonly token: 'public-read' | 'read' | 'write' | 'admin'
}

export interface FakeHub extends AsyncDisposable {
  readonly state: HubState
  readonly repository: (full: string, more?: Partial<FakeRepository>) => void
  /** `METHOD host/path` of every request so far. */
  readonly seen: readonly string[]
  /** What was asked or answered otherwise than Docker describes it. */
  readonly strange: readonly string[]
  /** Addresses that were connected to; none but this fake's answers. */
  readonly dialled: readonly string[]
  /** What an image's tags name, as the registry has them. */
  tags(repository: string): Promise<ReadonlyMap<string, string>>
}

const hosts: Readonly<Record<string, string>> = {
  'registry-1.docker.io': '203.0.113.1',
  'auth.docker.io': '203.0.113.2',
  'hub.docker.com': '203.0.113.3',
}

/** Docker Hub under its own names, in this process: no packet leaves it. Images lie in the embedded registry. */
export async function fakeHub(accounts: Readonly<Record<string, FakeAccount>>): Promise<FakeHub> {
  const directory = await temporaryDirectory()
  const images = embeddedRegistry({ directory: directory.path })
  const { address: upstream } = await images.listen()
  const seen: string[] = []
  const strange: string[] = []
  const state: HubState = {
    accounts: new Map(Object.entries(accounts)),
    repositories: new Map(),
    tokens: new Map(),
    pulls: 0,
    limit: 100,
    denies: 'insufficient scope',
    deletesManifests: 'unreferred',
    referredTo: new Set(),
    keptTags: new Set(),
    listsDigests: true,
  }
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', headers } = request
    const host = headers.host ?? ''
    const url = new URL(request.url ?? '/', `https://${host}`)
    seen.push(`${method} ${host}${url.pathname}`)
    if (host === 'auth.docker.io') return giveToken(state, request, url, response)
    if (host === 'registry-1.docker.io') {
      await serveV2({ state, images, upstream }, request, url, response)
      strange.push(...undescribed({ host, method, url, status: response.statusCode }))
      return
    }
    const said = await text(request)
    const asked = said === '' ? {} : JSON.parse(said)
    const { status, body } = await answerApi({ state, images }, { method, url, body: asked, headers })
    strange.push(...undescribed({ host, method, url, status, request: asked, answer: body }))
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on a port, not on a path
  const network = fakeNetwork(
    (name) => [hosts[name] ?? []].flat(),
    Object.fromEntries(Object.values(hosts).map((address) => [address, port])),
  )
  return {
    state,
    seen,
    strange,
    dialled: network.dialled,
    repository: (full, more = {}) => void state.repositories.set(full, { isPrivate: false, members: {}, ...more }),
    tags: (repository) => tagsIn(images, repository, testContext()),
    async [Symbol.asyncDispose]() {
      network[Symbol.dispose]()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
      await images[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
}

import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** A request as the server saw it. */
export interface SeenRequest {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface FakeAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array
}

export interface FakeServer extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly seen: readonly SeenRequest[]
  /** `METHOD path` of every request so far. */
  lines(): readonly string[]
  /** As a server does that has been idle for long. */
  closeConnections(): void
}

/** A server that answers what the test says; `'hang-up'` cuts the connection. */
export async function fakeServer(
  answer: (request: SeenRequest) => FakeAnswer | 'hang-up' | Promise<FakeAnswer | 'hang-up'>,
): Promise<FakeServer> {
  const seen: SeenRequest[] = []
  const server = createServer(async (request, response) => {
    const received = await receive(request).catch(() => undefined)
    if (!received) return void response.destroy()
    seen.push(received)
    const said = await answer(received)
    if (said === 'hang-up') return void request.socket.destroy()
    const headers = Object.entries(said.headers ?? {}).map(([name, value]) => [name, [value].flat()] as const)
    response.writeHead(said.status, Object.fromEntries(headers)).end(said.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`, // it listens on a port, not on a path
    seen,
    lines: () => seen.map(({ method, url }) => `${method} ${url.pathname}`),
    closeConnections: () => server.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

async function receive(request: IncomingMessage): Promise<SeenRequest> {
  const { method = '', url = '/', headers } = request
  return { method, url: new URL(url, 'http://fake.invalid'), headers, body: await buffer(request) }
}

export function jsonAnswer(status: number, value: unknown, headers: FakeAnswer['headers'] = {}): FakeAnswer {
  return { status, headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(value) }
}

import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Client, createClient } from '../transport/client.js'

export interface Api extends AsyncDisposable {
  readonly client: Client
  /** `GET /path?query` of every request, in order. */
  readonly requests: string[]
  /** Connections that were ever opened. */
  readonly connections: () => number
  /** How often the client was asked for new credentials. */
  readonly renewals: () => number
}

/** A small HTTP server in place of the API server; `answer` is called for every request. */
export async function api(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Api> {
  const requests: string[] = []
  let connections = 0
  let renewals = 0
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    answer(request, response)
  })
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const agent = new Agent({ keepAlive: true })
  return {
    requests,
    connections: () => connections,
    renewals: () => renewals,
    client: createClient({
      server: new URL(`http://127.0.0.1:${port}`),
      namespace: 'default',
      async access(renew) {
        if (renew) renewals++
        return { agent, headers: { Authorization: `Bearer ${renewals}` } }
      },
    }),
    async [Symbol.asyncDispose]() {
      agent.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}

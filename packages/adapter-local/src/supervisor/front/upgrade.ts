import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connectTo, join } from './connect.js'
import { kept, upgradeHeaders } from './headers.js'
import type { Pick, Upstream } from './pick.js'

/** Hands a request for another protocol (WebSocket) to an instance, and joins the two connections when it agrees. */
export async function forwardUpgrade(
  request: IncomingMessage,
  client: Duplex,
  head: Buffer,
  pick: Pick,
): Promise<void> {
  client.on('error', () => client.destroy())
  const first = pick()
  const second = first && !(await tryUpgrade(request, client as Socket, head, first)) ? pick(first) : undefined
  if (second) await tryUpgrade(request, client as Socket, head, second)
  if (client.writable) client.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
}

/** false when the instance did not accept the connection. */
async function tryUpgrade(
  request: IncomingMessage,
  client: Socket, // Node's HTTP server never hands out anything else
  head: Buffer,
  instance: Upstream,
): Promise<boolean> {
  instance.enter()
  try {
    const socket = await connectTo(instance)
    await negotiate(request, client, head, instance, socket)
    return true
  } catch {
    return false
  } finally {
    instance.leave()
  }
}

function negotiate(
  request: IncomingMessage,
  client: Socket,
  head: Buffer,
  instance: Upstream,
  socket: Socket,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const upstream = httpRequest({
    ...instance.address,
    method: request.method,
    path: request.url,
    headers: upgradeHeaders(request),
    createConnection: () => socket,
  })
  upstream.on('upgrade', (answer, connection: Socket, rest) => {
    client.write(answerHead(answer, answer.rawHeaders))
    client.write(rest)
    connection.write(head)
    void join(client, connection).then(resolve)
  })
  upstream.on('response', (answer) => {
    client.write(answerHead(answer, [...kept(answer, ['connection', 'transfer-encoding']), 'Connection', 'close']))
    answer.pipe(client)
    client.on('close', resolve)
  })
  upstream.on('error', () => {
    client.destroy()
    resolve()
  })
  client.on('close', () => upstream.destroy())
  upstream.end()
  return promise
}

function answerHead(answer: IncomingMessage, rawHeaders: readonly string[]): string {
  const lines = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : []))
  return [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`, ...lines, '', ''].join('\r\n')
}

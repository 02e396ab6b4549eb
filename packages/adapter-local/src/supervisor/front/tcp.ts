import { createServer, type Server, type Socket } from 'node:net'
import { connectTo, join } from './connect.js'
import type { Pick, Upstream } from './pick.js'

/**
 * A server that joins each connection with the instance whose turn it is when it comes. While there is none, connections are reset at once:
 * were the port closed instead, somebody else could take it.
 */
export function tcpFront(pick: Pick): Server {
  return createServer({ allowHalfOpen: true, noDelay: true }, (client) => void forward(client, pick))
}

async function forward(client: Socket, pick: Pick): Promise<void> {
  client.on('error', () => client.destroy())
  const first = pick()
  if (first === undefined) return void client.resetAndDestroy()
  if (await tryJoin(client, first)) return void client.destroy()
  const second = pick(first)
  if (second !== undefined) await tryJoin(client, second)
  client.destroy()
}

/** false when the instance did not accept. */
async function tryJoin(client: Socket, instance: Upstream): Promise<boolean> {
  instance.enter()
  try {
    const upstream = await connectTo(instance)
    await join(client, upstream)
    return true
  } catch {
    return false
  } finally {
    instance.leave()
  }
}

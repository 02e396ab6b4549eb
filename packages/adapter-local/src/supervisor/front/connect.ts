import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Upstream } from './pick.js'

/** A new connection to the instance, established. Rejects when it is not accepted: nothing has been sent then. */
export async function connectTo(instance: Upstream): Promise<Socket> {
  const socket = connect({ ...instance.address, noDelay: true, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

/** Passes everything on in both directions, until both are closed. */
export async function join(one: Socket, other: Socket): Promise<void> {
  const closed = Promise.all([closing(one, other), closing(other, one)])
  one.pipe(other)
  other.pipe(one)
  await closed
}

function closing(socket: Socket, partner: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.on('error', () => partner.destroy())
  socket.on('close', () => {
    if (!socket.readableEnded) partner.destroy() // cut, not ended: there is nothing left to flush
    resolve()
  })
  return promise
}

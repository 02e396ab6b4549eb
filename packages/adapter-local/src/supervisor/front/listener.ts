import { once } from 'node:events'
import type { Server } from 'node:net'
import type { Publish } from '@kiwi/core'
import { portTaken } from '../ports.js'
import { httpFront } from './http.js'
import type { Pick } from './pick.js'
import { tcpFront } from './tcp.js'

/** The published port, open. */
export interface Listener {
  readonly publish: Publish
  readonly port: number
  /** Accepts nothing more; what is open goes on. */
  close(): void
}

/**
 * Listens where `publish` says and hands everything to what `pick` names at that moment.
 * Rejects with `PORT_TAKEN`. `keptPort` is tried first where any free port will do.
 */
export async function openListener(publish: Publish, keptPort: number | undefined, pick: Pick): Promise<Listener> {
  if (publish.port !== 0) return listen(publish, publish.port, pick)
  if (keptPort === undefined) return listen(publish, 0, pick)
  return listen(publish, keptPort, pick).catch(() => listen(publish, 0, pick))
}

async function listen(publish: Publish, wanted: number, pick: Pick): Promise<Listener> {
  const server = publish.protocol === 'http' ? httpFront(pick) : tcpFront(pick)
  server.listen(wanted, publish.address)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw await portTaken(publish.address, wanted, error)
  }
  return { publish, port: portOf(server), close: () => close(server) }
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function close(server: Server & { closeIdleConnections?: () => void }): void {
  server.close()
  server.closeIdleConnections?.()
}

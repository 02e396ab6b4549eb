import { connect, createServer, type Socket } from 'node:net'

/** Stands between a client and a server, and can break what runs through it. */
export interface Relay extends AsyncDisposable {
  readonly port: number
  /** Breaks every connection; while `refusing`, new ones are broken too. */
  breakAll(options?: { readonly refusing: boolean }): void
  accept(): void
}

export async function relay(toPort: number): Promise<Relay> {
  const sockets = new Set<Socket>()
  let refusing = false
  const server = createServer((near) => {
    if (refusing) return void near.resetAndDestroy()
    const far = connect(toPort, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => sockets.delete(socket) && other.destroy())
      socket.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    breakAll(options) {
      refusing = options?.refusing ?? false
      for (const socket of sockets) socket.resetAndDestroy()
    },
    accept() {
      refusing = false
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

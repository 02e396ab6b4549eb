import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import type { Server } from 'node:http'
import { join } from 'node:path'
import { lockExclusively } from './lock.js'
import { controlServer, type Stopper } from './server.js'
import { Supervisor } from './supervisor.js'
import { placeSocket, removeWhereabouts, writeWhereabouts } from './whereabouts.js'

const idleMs = 30_000
/** How long callers that have just found the socket are still told that this process ends. */
const farewellMs = 50

await main(process.argv[2] ?? '')

/**
 * The process that owns one environment: `node main.js DIRECTORY`. Ends at once, with 0, when another one owns it already; else stays
 * until it is told to stop, or until nothing is ordered or claimed and nobody has asked for a while.
 */
async function main(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const lock = lockExclusively(join(directory, 'supervisor.lock'))
  if (lock === undefined) return
  process.on('exit', () => lock[Symbol.dispose]()) // held until then, and referred to: collected, it would be free
  process.on('uncaughtException', (error) => console.error(error)) // the applications must not go down with it
  const supervisor = await Supervisor.start(directory)
  const stopper = stopperOf(supervisor, () => {
    removeWhereabouts(directory)
    setTimeout(() => server.close(() => process.exit(0)), farewellMs)
  })
  const server = controlServer(supervisor, stopper)
  const socket = placeSocket(directory)
  server.listen(socket)
  await once(server, 'listening')
  writeWhereabouts(directory, { pid: process.pid, startedAt: new Date().toISOString(), socket })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stopper.stop({ forget: false }))
  process.on('SIGHUP', () => {}) // the terminal that started it may close
  stopWhenIdle(server, supervisor, () => void stopper.stop({ forget: false }))
}

function stopperOf(supervisor: Supervisor, end: () => void): Stopper {
  let stopping: Promise<void> | undefined
  return {
    get stopping() {
      return stopping !== undefined
    },
    stop(options) {
      stopping ??= supervisor.shutdown(options).then(end)
      return stopping
    },
  }
}

function stopWhenIdle(server: Server, supervisor: Supervisor, stop: () => void): void {
  const timer = setInterval(() => supervisor.idle && stop(), idleMs)
  server.on('request', () => timer.refresh())
}

import { randomInt } from 'node:crypto'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { basename } from 'node:path'
import { KiwiError } from '@kiwi/core'

/** Below what systems give to outgoing connections and to servers that take any port: nobody else comes upon these by chance. */
const [lowestPort, highestPort] = [20_000, 29_999]

/** A port on which nothing listens at this moment, on any address. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const port = randomInt(lowestPort, highestPort + 1)
    if (await isFree(port)) return port
  }
  throw new KiwiError('RUNTIME_FAILED', `no port between ${lowestPort} and ${highestPort} is free`)
}

/** Where an application in that network is to listen: it is alone in a network of its own, and gets a free port in this machine's. */
export async function portIn({
  kind,
  port,
}: {
  readonly kind: 'host' | 'own'
  readonly port: number
}): Promise<number> {
  return kind === 'own' ? port : freePort()
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => resolve(false))
  server.listen(port, () => server.close(() => resolve(true)))
  return promise
}

/** Says who listens on the port, as far as that can be seen. */
export async function portTaken(address: string, port: number, cause: unknown): Promise<KiwiError> {
  const owner = await listenerOn(port)
  const by = owner === undefined ? 'another process' : `${owner.name} (process ${owner.pid})`
  return new KiwiError('PORT_TAKEN', `${by} listens on ${address}:${port}`, {
    cause,
    evidence: { address, port, ...(owner === undefined ? {} : owner) },
  })
}

/** The process that listens on a TCP port, from /proc (proc_net_tcp.txt: state 0A is LISTEN, field 9 the inode). */
export async function listenerOn(port: number): Promise<{ readonly pid: number; readonly name: string } | undefined> {
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map(readOrNothing))
  const rows = tables.flatMap((table) => table.split('\n').slice(1)).map((row) => row.trim().split(/\s+/))
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inodes = rows.filter(([, local, , state]) => state === '0A' && local?.endsWith(suffix)).map((row) => row[9])
  if (inodes.length === 0) return undefined
  const targets = new Set(inodes.map((inode) => `socket:[${inode}]`))
  for (const pid of (await readdir('/proc')).map(Number).filter(Number.isInteger)) {
    if (!(await holdsOne(pid, targets))) continue
    return { pid, name: await nameOf(pid) }
  }
  return undefined
}

/** What it was started as; some runtimes rename their first thread, which is what `comm` tells. */
async function nameOf(pid: number): Promise<string> {
  const [program = ''] = (await readOrNothing(`/proc/${pid}/cmdline`)).split('\0')
  return basename(program) || (await readOrNothing(`/proc/${pid}/comm`)).trim()
}

async function holdsOne(pid: number, targets: ReadonlySet<string>): Promise<boolean> {
  const handles = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const handle of handles)
    if (targets.has(await readlink(`/proc/${pid}/fd/${handle}`).catch(() => ''))) return true
  return false
}

function readOrNothing(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '')
}

import { readdir, readFile, readlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { KiwiError } from '@kiwi/core'

/** A port on which nothing listens at this moment, on any address. */
export async function freePort(): Promise<number> {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.once('error', reject)
  server.listen(0, () => {
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    server.close(() => resolve(port))
  })
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
    return { pid, name: (await readOrNothing(`/proc/${pid}/comm`)).trim() }
  }
  return undefined
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

import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** How a supervisor is found: `supervisor.json` in the environment's directory. */
export interface Whereabouts {
  readonly pid: number
  /** ISO 8601. */
  readonly startedAt: string
  /** Path of its unix socket; as private as the directory it lies in. */
  readonly socket: string
}

/** Systems cut the path of a socket off at about this length (unix(7): 108 with the terminator; 104 on macOS). */
const longestSocketPathBytes = 100

/** Picks the place of the socket, free of what an earlier supervisor left. Only whoever holds the lock may call it. */
export function placeSocket(directory: string): string {
  removeWhereabouts(directory)
  const beside = join(directory, 'supervisor.sock')
  rmSync(beside, { force: true })
  if (Buffer.byteLength(beside) <= longestSocketPathBytes) return beside
  return join(mkdtempSync(join(tmpdir(), 'kiwi-')), 'supervisor.sock')
}

/** Whole or not at all: a reader never sees half a file. */
export function writeWhereabouts(directory: string, whereabouts: Whereabouts): void {
  const file = fileIn(directory)
  writeFileSync(`${file}.new`, JSON.stringify(whereabouts), { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** undefined when none was ever there, or the last one ended in order. */
export function readWhereabouts(directory: string): Whereabouts | undefined {
  try {
    return JSON.parse(readFileSync(fileIn(directory), 'utf8')) // written by writeWhereabouts only
  } catch {
    return undefined
  }
}

export function removeWhereabouts(directory: string): void {
  const known = readWhereabouts(directory)
  rmSync(fileIn(directory), { force: true })
  if (known === undefined) return
  rmSync(known.socket, { force: true })
  if (dirname(known.socket) !== directory) rmSync(dirname(known.socket), { recursive: true, force: true })
}

function fileIn(directory: string): string {
  return join(directory, 'supervisor.json')
}

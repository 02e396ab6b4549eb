import { createHash, hash } from 'node:crypto'
import { type BigIntStats, createReadStream, readFileSync } from 'node:fs'
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAtomically } from '../layers/index.js'
import { keyOf } from './key.js'

/** Hashes of files by path, kept across builds with the file's identity, so that an unchanged file is not read again. */
export interface FileHashes {
  hash(path: string, status: BigIntStats): string | Promise<string>
  /** Keeps what was learnt. */
  save(): Promise<void>
}

/** size, mtime and ctime in nanoseconds, inode, sha256 */
type Row = readonly [number, string, string, string, string]

/** Larger files are read in a stream. */
const atOnceBytes = 1024 * 1024
/** A file changed within this time may change again without its times showing it. */
const unsettledMs = 2000
const keptForMs = 14 * 24 * 3600 * 1000

export async function fileHashes(stateDirectory: string, root: string): Promise<FileHashes> {
  const folder = join(stateDirectory, 'cache', 'files')
  const file = join(folder, `${keyOf(root)}.json`)
  const rows = await readRows(file)
  const seen = new Map<string, Row>()
  let learnt = 0
  return {
    hash(path, status) {
      const identity = [Number(status.size), `${status.mtimeNs}`, `${status.ctimeNs}`, `${status.ino}`] as const
      const known = rows.get(path)
      if (known !== undefined && identity.every((value, index) => known[index] === value)) {
        seen.set(path, known)
        return known[4]
      }
      const settled = Number(status.ctimeMs) < Date.now() - unsettledMs
      const note = (sha256: string) => {
        if (settled) {
          learnt += 1
          seen.set(path, [...identity, sha256])
        }
        return sha256
      }
      const absolute = join(root, path)
      if (status.size <= atOnceBytes) return note(hash('sha256', readFileSync(absolute), 'hex'))
      return hashLarge(absolute).then(note)
    },
    async save() {
      if (learnt === 0) return
      await removeOld(folder)
      await writeAtomically(file, JSON.stringify([...new Map([...rows, ...seen])]))
    },
  }
}

async function readRows(file: string): Promise<Map<string, Row>> {
  try {
    // Only this module writes there.
    return new Map(JSON.parse(await readFile(file, 'utf8')) as [string, Row][])
  } catch {
    return new Map()
  }
}

async function hashLarge(file: string): Promise<string> {
  const sha256 = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: atOnceBytes })) sha256.update(chunk)
  return sha256.digest('hex')
}

/** Contexts are often made anew for each build and never seen again. */
async function removeOld(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names) {
    const status = await stat(join(folder, name)).catch(() => undefined)
    if (status !== undefined && status.mtimeMs < Date.now() - keptForMs) await rm(join(folder, name), { force: true })
  }
}

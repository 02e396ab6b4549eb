import type { BigIntStats } from 'node:fs'
import { createReadStream } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { LayerPart, TarHeader, UpperDiff, View } from '../layers/index.js'

/** Every path below a directory with its status: enough to see any change, also one that keeps size and mtime (ctime and inode move). */
export type Snapshot = ReadonlyMap<string, BigIntStats>

export async function takeSnapshot(directory: string): Promise<Snapshot> {
  const found = new Map<string, BigIntStats>()
  const waiting = ['']
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    for (const name of (await readdir(join(directory, path))).sort()) {
      const child = path === '' ? name : `${path}/${name}`
      const status = await lstat(join(directory, child), { bigint: true })
      found.set(child, status)
      if (status.isDirectory()) waiting.push(child)
    }
  }
  return found
}

/** What changed between two looks, as a layer. Files that were there keep their owner; new ones are root's. */
export async function compareSnapshots(
  directory: string,
  before: Snapshot,
  options: { readonly below: View; readonly latestSeconds: number },
): Promise<UpperDiff> {
  const after = await takeSnapshot(directory)
  const changed = new Set([...after].flatMap(([path, status]) => (isSame(before.get(path), status) ? [] : [path])))
  const isThere = (path: string) => path === '' || after.get(path)?.isDirectory() === true
  const tops = [...before.keys()].filter((path) => !after.has(path) && isThere(parentOf(path)))
  const needed = new Set(
    [...changed, ...tops].flatMap((path) => [...parentsOf(path), ...(after.has(path) ? [path] : [])]),
  )
  const rows = [...[...needed].map((path) => ({ path, gone: false })), ...tops.map((path) => ({ path, gone: true }))]
  return {
    empty: rows.length === 0,
    parts: partsOf(directory, rows.sort(inOrder), after, options),
    settle: async () => false,
  }
}

interface ChangedPath {
  readonly path: string
  readonly gone: boolean
}

/** Parents first, and in each directory what is gone before what is there. */
function inOrder(one: ChangedPath, other: ChangedPath): number {
  const key = ({ path, gone }: ChangedPath) =>
    `${parentOf(path)}/${gone ? '\0' : '\u0001'}${path.slice(parentOf(path).length)}`
  const depth = (path: string) => path.split('/').length
  return depth(one.path) - depth(other.path) || (key(one) < key(other) ? -1 : 1)
}

async function* partsOf(
  directory: string,
  rows: readonly ChangedPath[],
  after: Snapshot,
  { below, latestSeconds }: { readonly below: View; readonly latestSeconds: number },
): AsyncGenerator<LayerPart> {
  const firstNames = new Map<string, string>()
  for (const { path, gone } of rows) {
    if (gone) {
      yield { header: { ...plainHeader, name: whiteoutOf(path), type: 'file', mtimeSeconds: latestSeconds } }
      continue
    }
    const status = after.get(path)
    if (status === undefined) continue
    const { uid = 0, gid = 0 } = below.lookup(path)?.entry ?? {}
    const mtimeSeconds = Math.min(latestSeconds, Number(status.mtimeNs / 1_000_000_000n))
    const common = { name: path, mode: Number(status.mode) & 0o7777, uid, gid, size: 0, mtimeSeconds }
    const part = await partOf(join(directory, path), status, common, firstNames)
    if (part !== undefined) yield part
  }
}

async function partOf(
  file: string,
  status: BigIntStats,
  common: Omit<TarHeader, 'type'>,
  firstNames: Map<string, string>,
): Promise<LayerPart | undefined> {
  if (status.isDirectory()) return { header: { ...common, type: 'directory' } }
  if (status.isSymbolicLink()) return { header: { ...common, type: 'symlink', link: await readlink(file) } }
  if (!status.isFile()) return undefined
  const first = status.nlink > 1n ? firstNames.get(`${status.ino}`) : undefined
  if (first !== undefined) return { header: { ...common, type: 'hardlink', link: first } }
  firstNames.set(`${status.ino}`, common.name)
  return { header: { ...common, type: 'file', size: Number(status.size) }, content: () => createReadStream(file) }
}

const plainHeader = { mode: 0, uid: 0, gid: 0, size: 0 }

function isSame(one: BigIntStats | undefined, other: BigIntStats): boolean {
  if (one === undefined) return false
  const fields = ['mode', 'uid', 'gid', 'ino'] as const
  if (fields.some((field) => one[field] !== other[field])) return false
  // A directory whose content changed is in the layer as their parent; its own times are not worth a layer.
  return (
    other.isDirectory() || (one.size === other.size && one.mtimeNs === other.mtimeNs && one.ctimeNs === other.ctimeNs)
  )
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0))
}

function parentsOf(path: string): string[] {
  const parent = parentOf(path)
  return parent === '' ? [] : [...parentsOf(parent), parent]
}

function whiteoutOf(path: string): string {
  const parent = parentOf(path)
  const name = `.wh.${path.slice(parent === '' ? 0 : parent.length + 1)}`
  return parent === '' ? name : `${parent}/${name}`
}

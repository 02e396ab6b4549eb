import { type BigIntStats, createReadStream, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { isMissing, resolvePath } from '../layers/index.js'
import type { FileHashes } from './file-hashes.js'
import type { Ignored } from './ignore.js'
import type { SourceEntry, SourceTree } from './source-tree.js'

const atOnceBytes = 1024 * 1024

/**
 * The build context as builders see it, looked at once per build. The looks are synchronous: for a tree of a program's own files that
 * takes a few milliseconds, ten times less than asking for each in turn.
 */
export function contextTree(directory: string, ignored: Ignored, hashes: FileHashes): SourceTree {
  const statuses = new Map<string, BigIntStats>()
  const entries = new Map<string, SourceEntry | undefined>()
  const lists = new Map<string, readonly string[]>()

  const look = (path: string): SourceEntry | undefined => {
    if (path !== '' && ignored.ignores(path) && !ignored.mayWantBelow(path)) return undefined
    const status = statusOf(join(directory, path))
    if (status === undefined) return undefined
    if (path !== '' && ignored.ignores(path) && !(status.isDirectory() && children(path).length > 0)) return undefined
    statuses.set(path, status)
    return entryOf(path, status, () => readlinkSync(join(directory, path)))
  }
  const lookup = (path: string) => {
    if (!entries.has(path)) entries.set(path, look(path))
    return entries.get(path)
  }
  const children = (path: string): readonly string[] => {
    let list = lists.get(path)
    if (list === undefined) {
      const names = readdirSync(join(directory, path)).sort()
      list = names.filter((name) => lookup(path === '' ? name : `${path}/${name}`) !== undefined)
      lists.set(path, list)
    }
    return list
  }
  return {
    name: 'the build context',
    lookup: (path) => (parentsAreThere(path, lookup) ? lookup(path) : undefined),
    children,
    isLeftOut: (path) => ignored.ignores(path) && statusOf(join(directory, path)) !== undefined,
    resolve: (path) => resolvePath(path, (part) => lookup(part)?.link),
    hash: ({ path }) => hashes.hash(path, statuses.get(path) ?? lstatSync(join(directory, path), { bigint: true })),
    content: ({ path, size }) => {
      const file = join(directory, path)
      return size <= atOnceBytes ? readFileSync(file) : () => createReadStream(file, { highWaterMark: atOnceBytes })
    },
  }
}

/** A symlink on the way would lead the file system elsewhere than the path says. */
function parentsAreThere(path: string, lookup: (path: string) => SourceEntry | undefined): boolean {
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
    if (lookup(path.slice(0, slash))?.type !== 'directory') return false
  }
  return true
}

function statusOf(file: string): BigIntStats | undefined {
  try {
    return lstatSync(file, { bigint: true })
  } catch (error) {
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ENOTDIR')) return undefined
    throw error
  }
}

/** Owners of the context are of this machine: an image gets 0:0. */
function entryOf(path: string, status: BigIntStats, readLink: () => string): SourceEntry {
  const common = { path, mode: Number(status.mode) & 0o7777, uid: 0, gid: 0 }
  if (status.isDirectory()) return { ...common, type: 'directory', size: 0 }
  if (status.isSymbolicLink()) return { ...common, type: 'symlink', size: 0, link: readLink() }
  if (!status.isFile()) return { ...common, type: 'other', size: 0 }
  const several = status.nlink > 1n
  return { ...common, type: 'file', size: Number(status.size), ...(several && { file: `${status.dev}:${status.ino}` }) }
}

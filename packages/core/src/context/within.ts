import { lstat, readlink } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { KiwiError } from '../errors/kiwi-error.js'

/** As many links as Linux follows before it gives up. */
const mostLinks = 40

/** Where a path of a tree leads, relative to the tree, and the links on the way. */
export interface Led {
  /** Free of links; `''` is the tree itself. It may not be there. */
  readonly path: string
  /** The links that were followed, each by its own real place. */
  readonly links: readonly string[]
}

/**
 * Follows a path through the symlinks of a tree, never out of it. `tree` is absolute and real.
 * Rejects with `CONTEXT_INVALID` where the path, or a link on its way, leads out.
 */
export async function leadWithin(tree: string, path: string, what: string): Promise<Led> {
  const waiting = plainPath(path, what).split('/')
  const done: string[] = []
  const links: string[] = []
  for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
    if (part === '' || part === '.') continue
    if (part === '..') {
      if (done.pop() === undefined) throw outside(path, what)
      continue
    }
    const here = [...done, part].join('/')
    const target = await linkOf(join(tree, here))
    if (target === undefined) {
      done.push(part)
      continue
    }
    links.push(here)
    if (target.startsWith('/')) throw outside(path, what)
    if (links.length > mostLinks) throw invalid(`${what} ${path} goes round in circles`, path)
    waiting.unshift(...target.split('/'))
  }
  return { path: done.join('/'), links }
}

/** The path in its shortest form, without following anything. Throws `CONTEXT_INVALID` where it is absolute or begins above the tree. */
export function plainPath(path: string, what: string): string {
  const plain = posix.normalize(path === '' ? '.' : path).replace(/(?<=.)\/$/, '')
  if (path.includes('\0') || plain.startsWith('/') || plain === '..' || plain.startsWith('../'))
    throw outside(path, what)
  return plain
}

/** The part of a tree's path that lies under `root`, or undefined. Both relative to the tree. */
export function below(root: string, path: string): string | undefined {
  if (root === '') return path === '' ? undefined : path
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : undefined
}

async function linkOf(file: string): Promise<string | undefined> {
  const status = await lstat(file).catch(() => undefined)
  return status?.isSymbolicLink() ? readlink(file) : undefined
}

function outside(path: string, what: string): KiwiError {
  return invalid(`${what} ${JSON.stringify(path)} is outside the repository`, path)
}

export function invalid(message: string, path: string, cause?: unknown): KiwiError {
  return new KiwiError('CONTEXT_INVALID', message, { cause, evidence: { path } })
}

import { posix } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { KiwiError } from '@kiwi/core'
import { ancestorsOf } from '../layers/index.js'
import { isPattern, type PartPattern, partPattern } from './glob.js'
import { type Ignored, readIgnore } from './ignore.js'
import type { ArchivedFile } from './open-archive.js'
import type { SourceEntry, SourceTree } from './source-tree.js'

/** One thing that COPY copies: a file, or a directory's content. */
export interface CopySource {
  readonly tree: SourceTree
  /** The name it gets in a directory. */
  readonly name: string
  /** The thing itself; its path is the real one. */
  readonly root: SourceEntry
  /** The root and all below it, parents first. */
  readonly files: readonly CopyFile[]
  /** What ADD unpacks in its place. */
  readonly archive?: readonly ArchivedFile[] | undefined
}

export interface CopyFile {
  readonly entry: SourceEntry
  /** Below the root; the root itself is `''`. */
  readonly path: string
  /** Of a file's content. */
  readonly sha256?: string | undefined
}

/** Where in the Dockerfile, for messages. */
export interface Where {
  readonly line: number
  readonly instruction: string
}

/** Finds what the paths and patterns of a COPY name, with a hash of every file. Rejects with `CONTEXT_INVALID` naming what is not there. */
export async function findSources(
  tree: SourceTree,
  paths: readonly string[],
  where: Where,
  exclude: readonly string[] = [],
): Promise<CopySource[]> {
  const found: CopySource[] = []
  const excluded = readIgnore(exclude.join('\n'))
  for (const path of paths) {
    for (const name of isPattern(path) ? matching(tree, path, where) : [cleanSource(path)]) {
      const root = tree.lookup(tree.resolve(name))
      if (root === undefined) throw missing(tree, path, where)
      const source = { tree, name: posix.basename(name), root, files: await filesOf(tree, root) }
      if (exclude.length === 0) found.push(source)
      else found.push(...without(source, excluded))
    }
  }
  if (found.length === 0 && exclude.length === 0) throw missing(tree, paths.join(' '), where)
  return found
}

/** `--exclude`: a directory stays while something in it does. A single file is judged by its name. */
function without(source: CopySource, excluded: Ignored): CopySource[] {
  if (source.root.type !== 'directory') return excluded.ignores(source.name) ? [] : [source]
  const stays = source.files.filter(({ path }) => path === '' || !excluded.ignores(path))
  const needed = new Set(stays.flatMap(({ path }) => ancestorsOf(path)))
  const files = source.files.filter(({ path }) => path === '' || needed.has(path) || !excluded.ignores(path))
  return [{ ...source, files }]
}

/** Leading `..` are cut off, as builders do: nothing is above the root. */
function cleanSource(path: string): string {
  return posix.normalize(`/${path}`).replace(/^\/+|\/+$/g, '')
}

/** Part by part, so that only directories that can match are read. */
function matching(tree: SourceTree, pattern: string, where: Where): string[] {
  const parts = cleanSource(pattern).split('/')
  let names = ['']
  for (const part of parts) {
    names = names.flatMap((parent) => {
      const real = tree.resolve(parent)
      if (tree.lookup(real)?.type !== 'directory') return []
      const expression = compile(part, where)
      const matches = tree.children(real).filter((name) => expression.test(name))
      return matches.map((name) => (parent === '' ? name : `${parent}/${name}`))
    })
  }
  return names
}

function compile(part: string, { line, instruction }: Where): PartPattern {
  try {
    return partPattern(part)
  } catch (cause) {
    throw new KiwiError('CONTEXT_INVALID', `line ${line}: ${part} is no pattern that a path can match`, {
      cause,
      evidence: { pattern: part, line, instruction },
    })
  }
}

const filesPerTurn = 500

async function filesOf(tree: SourceTree, root: SourceEntry): Promise<CopyFile[]> {
  const files: CopyFile[] = []
  const waiting: { entry: SourceEntry; path: string }[] = [{ entry: root, path: '' }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { entry, path } = next
    if (entry.type === 'file') files.push({ entry, path, sha256: await tree.hash(entry) })
    else if (entry.type !== 'other') files.push({ entry, path })
    if (entry.type === 'directory') {
      for (const name of tree.children(entry.path).toReversed()) {
        const child = tree.lookup(entry.path === '' ? name : `${entry.path}/${name}`)
        if (child !== undefined) waiting.push({ entry: child, path: path === '' ? name : `${path}/${name}` })
      }
    }
    if (files.length % filesPerTurn === 0) await turn()
  }
  return files
}

function missing(tree: SourceTree, path: string, { line, instruction }: Where): KiwiError {
  if (!isPattern(path) && tree.isLeftOut?.(cleanSource(path))) {
    return new KiwiError('CONTEXT_INVALID', `line ${line}: ${path} is left out of ${tree.name} by .dockerignore`, {
      hint: `Take it back in with a line !${cleanSource(path)} in .dockerignore, or copy something else.`,
      evidence: { path, line, instruction },
    })
  }
  const close = closeNames(tree, path)
  const known = close.length > 0 ? `; there is ${close.join(', ')}` : ''
  return new KiwiError('CONTEXT_INVALID', `line ${line}: ${path} is not in ${tree.name}${known}`, {
    hint: `Check the path in ${instruction.split(' ')[0]} and, for the build context, what .dockerignore leaves out.`,
    evidence: { path, line, instruction, closeNames: close },
  })
}

/** Names beside the missing one that differ from it by little. */
function closeNames(tree: SourceTree, path: string): string[] {
  const clean = cleanSource(path)
  const parent = posix.dirname(clean) === '.' ? '' : posix.dirname(clean)
  const real = tree.resolve(parent)
  if (tree.lookup(real)?.type !== 'directory') return []
  const wanted = posix.basename(clean).toLowerCase()
  const near = (name: string) => distance(name.toLowerCase(), wanted) <= Math.max(2, Math.floor(wanted.length / 3))
  const names = tree.children(real).filter((name) => near(name) || name.toLowerCase().startsWith(wanted))
  return names.slice(0, 5).map((name) => (parent === '' ? name : `${parent}/${name}`))
}

/** Levenshtein's. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const change = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, change))
    }
    row = next
  }
  return row[other.length] ?? 0
}

import { lstat, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cancelled } from './cancelled.js'
import { fileError } from './file-error.js'
import type { Git } from './git-command.js'
import { type Budget, createBudget } from './limits.js'
import { isGitFolder } from './submodules.js'
import { type CommittedFile, committedFiles, isThere, listWorkTree, readWorkTree, type WorkTree } from './work-tree.js'

/** Something that belongs to the source; devices, sockets and pipes do not. */
export interface Entry {
  /** Relative, with `/`. */
  readonly path: string
  /** A folder is named only when it is empty. */
  readonly kind: 'file' | 'executable' | 'link' | 'folder'
}

export interface Listing {
  readonly entries: readonly Entry[]
  /** What HEAD has, submodules' files in the place of the submodules. Empty where there is no commit. */
  readonly committed: ReadonlyMap<string, CommittedFile>
  /** False when a nested repository is not at the commit that the outer one names. */
  readonly nestedAsCommitted: boolean
}

export interface Reading {
  readonly git: Git
  /** Absolute, without links. */
  readonly excluded: readonly string[]
}

const deepestNesting = 5

interface State extends Reading {
  readonly root: string
  readonly budget: Budget
  readonly entries: Entry[]
  readonly committed: Map<string, CommittedFile>
  /** Folders known to be folders, not links that lead elsewhere. */
  readonly folders: Map<string, boolean>
  nestedAsCommitted: boolean
}

/** Rejects with `SOURCE_TOO_LARGE`, before anything is copied. */
export async function listDirectory(reading: Reading, root: string, workTree: WorkTree | undefined): Promise<Listing> {
  const state: State = {
    ...reading,
    root,
    budget: createBudget(reading.git.limits, root),
    entries: [],
    committed: new Map(),
    folders: new Map([['.', true]]),
    nestedAsCommitted: true,
  }
  if (workTree === undefined) await walk(state, '')
  else await listTracked(state, '', workTree, 0)
  state.entries.sort((a, b) => (a.path < b.path ? -1 : 1))
  return state
}

async function walk(state: State, folder: string): Promise<void> {
  const names = await readdir(join(state.root, folder)).catch((error: unknown) => {
    throw fileError(error, join(state.root, folder))
  })
  const paths = names.filter((name) => !isGitFolder(name)).map((name) => (folder === '' ? name : `${folder}/${name}`))
  let found = 0
  for (const path of paths) {
    const kind = await add(state, path)
    if (kind === 'directory') await walk(state, path)
    if (kind !== undefined) found += 1
  }
  if (found === 0 && folder !== '') state.entries.push({ path: folder, kind: 'folder' })
}

async function listTracked(state: State, prefix: string, workTree: WorkTree, depth: number): Promise<void> {
  const committed = await committedFiles(state.git, workTree)
  for (const [path, file] of committed) if (!isExcluded(state, prefix + path)) state.committed.set(prefix + path, file)
  for (const path of await listWorkTree(state.git, workTree)) {
    if (path.split('/').some((part) => part === '' || part === '.' || part === '..' || isGitFolder(part))) continue
    if (!(await isRealFolder(state, dirname(prefix + path)))) continue
    if ((await add(state, prefix + path)) === 'directory') await listNested(state, prefix + path, depth + 1)
  }
}

/** A submodule, or a repository that happens to lie there. One that was never fetched is an empty folder, for git too. */
async function listNested(state: State, path: string, depth: number): Promise<void> {
  const expected = state.committed.get(path)
  state.committed.delete(path)
  if (depth > deepestNesting || !(await isThere(join(state.root, path, '.git')))) return
  const nested = await readWorkTree(state.git, join(state.root, path))
  if (nested === undefined) return
  if (expected?.mode !== '160000' || expected.object !== nested.commit) state.nestedAsCommitted = false
  await listTracked(state, `${path}/`, nested, depth)
}

/** @returns what is there; undefined when nothing is that belongs to the source. */
async function add(state: State, path: string): Promise<Entry['kind'] | 'directory' | undefined> {
  const { signal } = state.git.watch
  if (signal.aborted) throw cancelled(signal)
  if (isExcluded(state, path)) return undefined
  const found = await lstat(join(state.root, path)).catch(() => undefined)
  if (found?.isDirectory() === true) return 'directory'
  if (found === undefined || !(found.isFile() || found.isSymbolicLink())) return undefined
  state.budget.spend({ files: 1, bytes: found.size })
  const kind = found.isSymbolicLink() ? 'link' : (found.mode & 0o100) === 0 ? 'file' : 'executable'
  state.entries.push({ path, kind })
  return kind
}

/** git still lists `a/b` when `a` has become a link to a folder elsewhere. */
async function isRealFolder(state: State, folder: string): Promise<boolean> {
  const known = state.folders.get(folder)
  if (known !== undefined) return known
  const itself = await lstat(join(state.root, folder)).catch(() => undefined)
  const real = itself?.isDirectory() === true && (await isRealFolder(state, dirname(folder)))
  state.folders.set(folder, real)
  return real
}

function isExcluded({ root, excluded }: State, path: string): boolean {
  const absolute = join(root, path)
  return excluded.some((folder) => absolute === folder || absolute.startsWith(`${folder}/`))
}

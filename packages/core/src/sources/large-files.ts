import { lstat, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KiwiError } from '../errors/kiwi-error.js'
import { copyFile } from './file-copy.js'
import type { Checkout } from './git-checkout.js'
import type { Git } from './git-command.js'
import { largeFileConfiguration } from './git-environment.js'
import { wordsOf } from './git-error.js'
import type { CommitTree } from './git-tree.js'
import { withSizeLimit } from './limits.js'

/** Longer ones are not pointers: the format's own limit. */
const longestPointer = 1024
/** Of the paths in one command. */
const longestArguments = 30_000

interface Place {
  readonly repository: string
  readonly commit: string
  readonly workTree: string
  readonly tree: CommitTree
}

interface Pointer {
  readonly path: string
  /** SHA-256 of the content. */
  readonly object: string
  readonly bytes: number
}

/**
 * Puts large files in the place of their pointers, with git-lfs, from the repository's own server; or, where that is not wanted, reports that
 * pointers were left. Rejects with `TOOL_MISSING` where git-lfs is needed and not installed.
 */
export async function fetchLargeFiles(git: Git, place: Place, { context, lfs, budget }: Checkout): Promise<void> {
  const pointers = await findPointers(place)
  if (pointers.length === 0) return
  if (!lfs) {
    const because = `large files were not asked for; ${pointers.length} of them are only pointers (${pointers[0]?.path})`
    context.report({ type: 'choice', what: 'large-files', value: 'pointers left', because })
    return
  }
  await requireTool(git)
  budget.spend({ files: 0, bytes: pointers.reduce((sum, { bytes }) => sum + bytes, 0) })
  await download(git, place, pointers)
  await checkReplaced(git, place, pointers)
}

async function findPointers({ workTree, tree }: Place): Promise<Pointer[]> {
  if (!(await usesLargeFiles(workTree, tree))) return []
  const small = tree.files.filter(({ kind, bytes }) => kind === 'file' && bytes > 0 && bytes < longestPointer)
  const pointers: Pointer[] = []
  for (const { path } of small) {
    const pointer = parsePointer(await readFile(join(workTree, path), 'latin1'))
    if (pointer !== undefined) pointers.push({ path, ...pointer })
  }
  return pointers
}

async function usesLargeFiles(workTree: string, { files }: CommitTree): Promise<boolean> {
  for (const { path, kind, bytes } of files) {
    if (kind !== 'file' || bytes > 1_000_000 || !/(?:^|\/)\.gitattributes$/.test(path)) continue
    if (/\bfilter=lfs\b/.test(await readFile(join(workTree, path), 'latin1'))) return true
  }
  return false
}

function parsePointer(text: string): Omit<Pointer, 'path'> | undefined {
  if (!text.startsWith('version https://git-lfs.github.com/spec/v1\n')) return undefined
  const object = /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1]
  const size = /^size (\d{1,15})$/m.exec(text)?.[1]
  return object === undefined || size === undefined ? undefined : { object, bytes: Number(size) }
}

async function requireTool(git: Git): Promise<void> {
  try {
    await git.run(['lfs', 'version'])
  } catch (error) {
    if (!/is not a git command/.test(wordsOf(error))) throw error
    throw new KiwiError('TOOL_MISSING', 'the repository has large files, and git-lfs is not installed', {
      hint: 'Install the package git-lfs, or leave source.lfs out to build with the pointers.',
      evidence: { tool: 'git-lfs', package: 'git-lfs' },
    })
  }
}

/** All at once into a folder of this operation, then into the tree by git's own filter, which reads that folder. */
async function download(
  git: Git,
  { repository, commit, workTree }: Place,
  pointers: readonly Pointer[],
): Promise<void> {
  const storage = join(git.scratch, 'lfs')
  const configuration = join(git.scratch, 'lfs-configuration')
  await mkdir(storage)
  await writeFile(configuration, largeFileConfiguration(git.address, storage))
  const place = {
    directory: workTree,
    repository,
    workTree,
    index: join(git.scratch, 'index'),
    largeFiles: configuration,
  }
  const { limits, watch, address } = git
  if (address.protocol === 'file') await borrowLocal(address.url, storage, pointers)
  else
    await withSizeLimit(storage, { limits, watch, what: `${address.url} (large files)` }, () =>
      git.run(['lfs', 'fetch', 'origin', commit], place),
    )
  // git would take a file that is there for the one it wants.
  for (const { path } of pointers) await rm(join(workTree, path))
  for (const paths of inArguments(pointers)) await git.run(['checkout-index', '--force', '--', ...paths], place)
}

/** git-lfs cannot fetch from a repository on the same machine while GIT_DIR is set; one that is missing there is missed later. */
async function borrowLocal(repository: string, storage: string, pointers: readonly Pointer[]): Promise<void> {
  for (const { object } of pointers) {
    const folder = join('objects', object.slice(0, 2), object.slice(2, 4))
    await mkdir(join(storage, folder), { recursive: true })
    for (const git of ['.git', '.'])
      await copyFile(join(repository, git, 'lfs', folder, object), join(storage, folder, object)).catch(() => undefined)
  }
}

function inArguments(pointers: readonly Pointer[]): string[][] {
  const groups: string[][] = []
  let room = 0
  for (const { path } of pointers) {
    room -= path.length + 1
    if (room < 0) {
      groups.push([])
      room = longestArguments - path.length
    }
    groups.at(-1)?.push(path)
  }
  return groups
}

async function checkReplaced(git: Git, { workTree }: Place, pointers: readonly Pointer[]): Promise<void> {
  for (const { path, bytes } of pointers) {
    const { size } = await lstat(join(workTree, path))
    if (size === bytes) continue
    throw new KiwiError('SOURCE_UNREACHABLE', `git-lfs did not bring ${path} of ${git.address.url}`, {
      hint: 'Check that the file was pushed to the repository’s own large-file server, and that .gitattributes names it.',
      evidence: { url: git.address.url, path, bytes, found: size },
    })
  }
}

import { lstat, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Git } from './git-command.js'
import { wordsOf } from './git-error.js'
import { isFullCommit, isRef } from './ref.js'

/** What git knows of a directory. */
export interface WorkTree {
  /** Missing in a repository without commits; then so are subject, time and tags. */
  readonly commit?: string | undefined
  readonly subject?: string | undefined
  readonly committedAtSeconds?: number | undefined
  readonly branch?: string | undefined
  /** Of this commit. */
  readonly tags: readonly string[]
}

/** A file as HEAD has it. */
export interface CommittedFile {
  /** `100644`, `100755`, `120000` (link) or `160000` (submodule). */
  readonly mode: string
  readonly object: string
}

/** @returns undefined for a directory that is not in a work tree, or in one that has nothing of it. */
export async function readWorkTree(git: Git, root: string): Promise<WorkTree | undefined> {
  const top = await topOf(root)
  if (top === undefined) return undefined
  const found = await runOr(git, ['rev-parse', '--show-toplevel'], root, /not a git repository|in a work tree/)
  if (found === undefined) return undefined
  // core.worktree can name any folder.
  if ((await realpath(found)) !== top)
    throw new KiwiError('SOURCE_UNREACHABLE', `the work tree of ${root} is elsewhere: ${found}`, { retryable: false })
  if (root !== top && (await git.list(['ls-files', '-z', '--cached', '--', '.'], { directory: root })).length === 0)
    return undefined
  return { ...(await readHead(git, root)), ...(await branchOf(git, root)) }
}

/** Paths of what git tracks or would add, relative to the directory; a nested repository is one path. */
export async function listWorkTree(git: Git, root: string): Promise<string[]> {
  const listed = await git.list(['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { directory: root })
  return [...new Set(listed.map((path) => path.replace(/\/$/, '')))]
}

/** What HEAD has of the directory, by path relative to it. */
export async function committedFiles(git: Git, root: string): Promise<Map<string, CommittedFile>> {
  const entries = await git.list(['ls-tree', '-r', '-z', 'HEAD'], { directory: root })
  return new Map(
    entries.map((entry) => {
      const tab = entry.indexOf('\t')
      const [mode = '', , object = ''] = entry.slice(0, tab).split(' ')
      return [entry.slice(tab + 1), { mode, object }]
    }),
  )
}

async function topOf(root: string): Promise<string | undefined> {
  for (let folder = root; ; folder = dirname(folder)) {
    if (await isThere(join(folder, '.git'))) return folder
    if (dirname(folder) === folder) return undefined
  }
}

export async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}

async function readHead(git: Git, root: string): Promise<WorkTree> {
  const none = /does not have any commits|bad default revision|ambiguous argument 'HEAD'|unknown revision/
  const said = await runOr(git, ['log', '-1', '--no-show-signature', '--format=%H%n%ct%n%s'], root, none)
  const [commit = '', seconds, subject] = said?.split('\n') ?? []
  if (!isFullCommit(commit)) return { tags: [] }
  const tags = await git.run(['for-each-ref', `--points-at=${commit}`, '--format=%(refname)', 'refs/tags'], {
    directory: root,
  })
  return {
    commit,
    subject,
    committedAtSeconds: Number(seconds),
    tags: tags
      .split('\n')
      .map((name) => name.replace(/^refs\/tags\//, ''))
      .filter(isRef),
  }
}

async function branchOf(git: Git, root: string): Promise<{ branch?: string }> {
  const name = await runOr(git, ['symbolic-ref', '--quiet', 'HEAD'], root, /git ended with 1\./)
  const branch = name?.replace(/^refs\/heads\//, '')
  return branch === undefined || !isRef(branch) ? {} : { branch }
}

/** @returns undefined when git fails with these words. */
async function runOr(git: Git, args: readonly string[], root: string, words: RegExp): Promise<string | undefined> {
  try {
    return await git.run(args, { directory: root })
  } catch (error) {
    if (words.test(wordsOf(error))) return undefined
    throw error
  }
}

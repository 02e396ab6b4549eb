import { copyFile, lstat, mkdir, mkdtemp, readdir, realpath, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Git } from './git-command.js'
import type { GitPlace } from './git-environment.js'
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
  /** For git commands about its files. */
  readonly place: GitPlace
}

/** A file as HEAD has it. */
export interface CommittedFile {
  /** `100644`, `100755`, `120000` (link) or `160000` (submodule). */
  readonly mode: string
  readonly object: string
}

/**
 * Its files are looked at through an empty repository of ours that borrows the other one's objects and a copy of its index. So nothing of its
 * configuration counts, which can name programs to run (core.fsmonitor, filters) and may have come with an archive.
 * @returns undefined for a directory that is not in a work tree, or in one that has nothing of it.
 */
export async function readWorkTree(git: Git, root: string): Promise<WorkTree | undefined> {
  const top = await topOf(root)
  if (top === undefined) return undefined
  const asked = ['rev-parse', '--show-object-format', '--absolute-git-dir', '--show-toplevel', '--git-path', 'objects']
  const said = await runOr(git, asked, root, /not a git repository|in a work tree/)
  const [format = '', folder = '', found = '', objects = ''] = said?.split('\n') ?? []
  if (said === undefined) return undefined
  // core.worktree can name any folder.
  if ((await realpath(found)) !== top)
    throw new KiwiError('SOURCE_UNREACHABLE', `the work tree of ${root} is elsewhere: ${found}`, { retryable: false })
  const place = await borrow(git, { format, folder, objects: resolve(root, objects), top, root })
  if (root !== top && (await git.list(['ls-files', '-z', '--cached', '--', '.'], place)).length === 0) return undefined
  return { place, ...(await readHead(git, root, place)) }
}

/** Paths of what git tracks or would add, relative to the directory; a nested repository is one path. */
export async function listWorkTree(git: Git, { place }: WorkTree): Promise<string[]> {
  const listed = await git.list(['ls-files', '-z', '--cached', '--others', '--exclude-standard'], place)
  return [...new Set(listed.map((path) => path.replace(/\/$/, '')))]
}

/** What HEAD has of the directory, by path relative to it. */
export async function committedFiles(git: Git, { place, commit }: WorkTree): Promise<Map<string, CommittedFile>> {
  if (commit === undefined) return new Map()
  const entries = await git.list(['ls-tree', '-r', '-z', commit], place)
  return new Map(
    entries.map((entry) => {
      const tab = entry.indexOf('\t')
      const [mode = '', , object = ''] = entry.slice(0, tab).split(' ')
      return [entry.slice(tab + 1), { mode, object }]
    }),
  )
}

interface Found {
  /** `sha1` or `sha256`. */
  readonly format: string
  /** `.git`, or what it points to. */
  readonly folder: string
  readonly objects: string
  readonly top: string
  readonly root: string
}

async function borrow(git: Git, { format, folder, objects, top, root }: Found): Promise<GitPlace> {
  const repository = await mkdtemp(join(git.scratch, 'borrowed-'))
  const extension = format === 'sha1' ? '' : `[extensions]\n\tobjectFormat = ${format}\n`
  await writeFile(join(repository, 'config'), `[core]\n\trepositoryFormatVersion = 1\n\tbare = true\n${extension}`)
  await writeFile(join(repository, 'HEAD'), 'ref: refs/heads/kiwi\n')
  for (const part of ['refs', 'info', 'objects/info']) await mkdir(join(repository, part), { recursive: true })
  await writeFile(join(repository, 'objects/info/alternates'), `${objects}\n`)
  const parts = (await readdir(folder)).filter((name) => name === 'index' || name.startsWith('sharedindex.'))
  for (const name of parts) await copyFile(join(folder, name), join(repository, name))
  const excludes = join(dirname(objects), 'info/exclude')
  if (await isThere(excludes)) await copyFile(excludes, join(repository, 'info/exclude'))
  return { directory: root, repository, workTree: top, index: join(repository, 'index') }
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

async function readHead(git: Git, root: string, place: GitPlace): Promise<Omit<WorkTree, 'place'>> {
  const asked = ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']
  const commit = await runOr(git, asked, root, /git ended with 1\./)
  const name = await runOr(git, ['symbolic-ref', '--quiet', 'HEAD'], root, /git ended with 1\./)
  const branch = name?.replace(/^refs\/heads\//, '')
  const named = branch === undefined || !isRef(branch) ? {} : { branch }
  if (commit === undefined || !isFullCommit(commit)) return { ...named, tags: [] }
  const format = ['log', '--no-walk', '--no-show-signature', '--format=%ct%n%s', commit]
  const [seconds, subject] = (await git.run(format, place)).split('\n')
  const pointing = ['for-each-ref', `--points-at=${commit}`, '--format=%(refname)', 'refs/tags']
  const tags = (await git.run(pointing, { directory: root })).split('\n')
  return {
    ...named,
    commit,
    subject,
    committedAtSeconds: Number(seconds),
    tags: tags.map((tag) => tag.replace(/^refs\/tags\//, '')).filter(isRef),
  }
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

import { lstat, realpath } from 'node:fs/promises'
import { isAbsolute, join, normalize, relative, sep } from 'node:path'
import type { Context, Probe } from '../contracts/v1/context.js'
import type { Ref, Revision, Source } from '../contracts/v1/source.js'
import type { Tree } from '../contracts/v1/tree.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { DirectorySourceDefinition } from '../model/service.js'
import type { Reading } from './directory-listing.js'
import { readDirectory } from './directory-reading.js'
import { keepSnapshot, keptSnapshot } from './directory-snapshots.js'
import { copyTree } from './file-copy.js'
import { fileError } from './file-error.js'
import { type GitAccess, makeWorkFolder, removeDirectory, withGit } from './git-command.js'
import { readLimits, type SourceLimitOptions } from './limits.js'
import { checkPresent, namesOf } from './present-names.js'
import { checkCommit, checkRef, hasControlCharacter } from './ref.js'
import { readWorkTree, type WorkTree } from './work-tree.js'

export interface DirectorySourceOptions extends SourceLimitOptions {
  /** Absolute. Holds `snapshots/` (states already resolved) and `work/` (trees handed out); may be shared by processes. */
  readonly directory: string
  /** Absolute paths that are not part of any source: Kiwi's own state. `directory` is always one. */
  readonly exclude?: readonly string[] | undefined
}

/**
 * Files of this machine as a source: what lies there now, committed or not. `resolve` takes a snapshot, so that files which change later do
 * not matter; `open` hands out a copy of it. In a git work tree `.gitignore` is obeyed, and the revision is that of HEAD. `.git`, sockets,
 * pipes and devices are left out; symbolic links stay links. Throws `INPUT_INVALID` for a path that is not absolute.
 */
export function directorySource(definition: DirectorySourceDefinition, options: DirectorySourceOptions): Source {
  const place: Place = {
    path: checkDirectory(definition.directory),
    options,
    access: {
      address: { protocol: 'file', url: definition.directory },
      directory: options.directory,
      limits: readLimits(options),
      ownFiles: true,
    },
  }
  return {
    contract: 'source/v1',
    probe: (context) => probe(place, context),
    refs: (context) => refs(place, context),
    resolve: async (ref, context) => resolve(place, checkRef(ref), context),
    open: async (revision, context) => open(place, checkRevision(revision), context),
  }
}

interface Place {
  readonly path: string
  readonly options: DirectorySourceOptions
  readonly access: GitAccess
}

function checkDirectory(path: string): string {
  const fault = faultOf(path)
  if (fault === undefined) return path
  throw new KiwiError('INPUT_INVALID', `the directory ${JSON.stringify(path.slice(0, 80))} ${fault}`, {
    hint: 'Give the absolute path of the directory that holds the source.',
  })
}

function faultOf(path: string): string | undefined {
  if (path === '' || path.length > 4000) return 'is empty or longer than 4000 characters'
  if (hasControlCharacter(path)) return 'has a control character in it'
  if (!isAbsolute(path)) return 'is not an absolute path'
  if (normalize(path) !== path) return 'has empty or dot parts in it'
  return path === sep ? 'is the whole file system' : undefined
}

function checkRevision(revision: Revision): Revision {
  checkCommit(revision.commit)
  const { contentDigest } = revision
  if (contentDigest === undefined || /^sha256:[0-9a-f]{64}$/.test(contentDigest)) return revision
  throw new KiwiError('INPUT_INVALID', 'the revision’s contentDigest is not sha256: and 64 hex digits')
}

async function probe(place: Place, context: Context): Promise<Probe> {
  try {
    const workTree = await inPlace(place, context, ({ workTree }) => Promise.resolve(workTree))
    const { branch } = workTree ?? {}
    const summary = `${place.path} is ${workTree === undefined ? 'a directory without git' : 'a git work tree'}`
    return { ok: true, summary, details: branch === undefined ? {} : { branch } }
  } catch (error) {
    const { code, message } = KiwiError.from(error)
    if (code === 'CANCELLED' || code === 'LEASE_LOST') throw error
    return { ok: false, summary: message, details: { code } }
  }
}

/** Only the present state can be asked for: what is checked out, and the tags of its commit. */
async function* refs(place: Place, context: Context): AsyncIterable<Ref> {
  yield* await inPlace(place, context, async (seen): Promise<Ref[]> => {
    const { branch = 'HEAD', tags = [] } = seen.workTree ?? {}
    const commit = seen.workTree?.commit ?? (await snapshot(place, seen)).commit
    return [
      { name: branch, kind: 'branch', commit, default: true },
      ...tags.map((name): Ref => ({ name, kind: 'tag', commit })),
    ]
  })
}

async function resolve(place: Place, ref: string, context: Context): Promise<Revision> {
  return inPlace(place, context, async (seen) => {
    const { workTree } = seen
    // Before anything is copied, where it is known already.
    if (workTree?.commit !== undefined) checkPresent(place.path, ref, workTree.commit, workTree)
    const { commit, dirty, contentDigest } = await snapshot(place, seen)
    checkPresent(place.path, ref, commit, workTree)
    return {
      commit,
      ref,
      ...namesOf(ref, workTree),
      ...(workTree?.subject !== undefined && { subject: workTree.subject }),
      ...(workTree?.committedAtSeconds !== undefined && { committedAtSeconds: workTree.committedAtSeconds }),
      dirty,
      contentDigest,
    }
  })
}

async function open(place: Place, revision: Revision, context: Context): Promise<Tree & AsyncDisposable> {
  return (
    (await openKept(place, revision.contentDigest, context)) ??
    inPlace(place, context, async (seen) => {
      const now = await snapshot(place, seen)
      const same = revision.contentDigest === undefined ? !now.dirty : now.contentDigest === revision.contentDigest
      const tree =
        same && now.commit === revision.commit ? await openKept(place, now.contentDigest, context) : undefined
      if (tree !== undefined) return tree
      throw new KiwiError('REF_NOT_FOUND', `${place.path} has changed since its revision was resolved`, {
        hint: 'Start again: the directory as it is now is another revision.',
        evidence: { directory: place.path, ref: revision.ref, commit: revision.commit },
      })
    })
  )
}

interface Seen {
  readonly root: string
  readonly workTree: WorkTree | undefined
  readonly reading: Reading
}

/** Looks at what is there, with git where there is a work tree. */
async function inPlace<T>(place: Place, context: Context, use: (seen: Seen) => Promise<T>): Promise<T> {
  const root = await realDirectory(place)
  return withGit(place.access, context, async (git) => {
    const excluded = await Promise.all([place.options.directory, ...(place.options.exclude ?? [])].map(realPath))
    if (excluded.some((path) => isInside(root, path)))
      throw new KiwiError('INPUT_INVALID', `${place.path} lies in a folder of Kiwi’s own`)
    const workTree = await readWorkTree(git, root)
    return use({ root, workTree, reading: { git, excluded } })
  })
}

async function realDirectory({ path }: Place): Promise<string> {
  try {
    const root = await realpath(path)
    if ((await lstat(root)).isDirectory()) return root
  } catch (error) {
    throw fileError(error, path)
  }
  throw new KiwiError('SOURCE_UNREACHABLE', `${path} is not a directory`, { retryable: false })
}

async function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => path)
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way))
}

interface Snapshot {
  readonly commit: string
  readonly dirty: boolean
  readonly contentDigest: string
}

/** Takes the files as they are now and keeps them. */
async function snapshot(place: Place, { root, workTree, reading }: Seen): Promise<Snapshot> {
  const copy = join(reading.git.scratch, 'tree')
  const { contentDigest, clean } = await readDirectory(reading, { root, workTree, copy })
  await keepSnapshot(place.options.directory, { source: place.path, contentDigest, copy })
  const commit = workTree?.commit ?? contentDigest.slice('sha256:'.length, 'sha256:'.length + 40)
  return { commit, dirty: !clean, contentDigest }
}

/** @returns undefined when this state is not kept (any more). */
async function openKept(
  { options, path, access }: Place,
  contentDigest: string | undefined,
  { signal }: Context,
): Promise<(Tree & AsyncDisposable) | undefined> {
  const kept = contentDigest && (await keptSnapshot(options.directory, { source: path, contentDigest }))
  if (!kept) return undefined
  const work = await makeWorkFolder(access.directory)
  const directory = join(work, 'tree')
  try {
    if (!(await copyTree(kept, directory, signal))) {
      await removeDirectory(work)
      return undefined
    }
    return { directory, [Symbol.asyncDispose]: () => removeDirectory(work) }
  } catch (error) {
    await removeDirectory(work)
    throw error
  }
}

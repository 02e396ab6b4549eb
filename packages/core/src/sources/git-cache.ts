import { createHash } from 'node:crypto'
import { link, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KiwiError } from '../errors/kiwi-error.js'
import { type Git, type GitAccess, removeDirectory } from './git-command.js'
import { wordsOf } from './git-error.js'
import { withSizeLimit } from './limits.js'

/** How many commits of one repository are kept. Their packs are hard links, so a further commit costs what changed in it. */
const keptCommits = 8
/** git looks into every pack; a cache that has grown past this starts again from one. */
const mostPacks = 40

/**
 * The bare repository that holds exactly this commit without its history; fetched when the cache does not have it.
 * One folder per commit, made aside and renamed into place, so that processes need no lock and a crash leaves nothing half-made.
 */
export async function commitRepository(git: Git, access: GitAccess, commit: string): Promise<string> {
  const cached = await cachedCommit(access, commit)
  if (cached !== undefined) return cached
  const made = join(git.scratch, 'repository')
  await createRepository(git, made, commit)
  await seed(made, access)
  await fetchCommit(git, made, commit)
  return keep(made, access, commit)
}

/** @returns undefined when this machine does not have the commit. */
export async function cachedCommit(access: GitAccess, commit: string): Promise<string | undefined> {
  const directory = join(cacheDirectory(access), commit)
  return (await exists(directory)) ? directory : undefined
}

/** An empty one for commits with names like this. */
export async function createRepository(git: Git, directory: string, commit: string): Promise<void> {
  await git.run(['init', '--bare', '--quiet', `--object-format=${commit.length === 64 ? 'sha256' : 'sha1'}`, directory])
}

/** Everything the far side has, commits only where it can leave files out: to look up an abbreviated commit. */
export async function fetchHistory(git: Git, repository: string, filter: 'commits' | 'all'): Promise<void> {
  const filters = filter === 'commits' ? ['--filter=tree:0'] : []
  await fetch(git, repository, [...filters, '--no-tags'], ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'])
}

/** A server may refuse to send a commit that no name points at; then all that has a name is fetched and the commit looked for in it. */
async function fetchCommit(git: Git, repository: string, commit: string): Promise<void> {
  try {
    await fetch(git, repository, ['--depth=1', '--no-tags'], [`+${commit}:refs/kiwi/${commit}`])
  } catch (error) {
    if (/not our ref|couldn't find remote ref/i.test(wordsOf(error))) throw missing(git, commit)
    if (!/not allow request for unadvertised object/i.test(wordsOf(error))) throw error
    await fetchHistory(git, repository, 'all')
  }
  const kind = await git.run(['cat-file', '-t', commit], { directory: repository }).catch(() => 'missing')
  if (kind !== 'commit') throw missing(git, commit)
}

function fetch(git: Git, repository: string, flags: readonly string[], refspecs: readonly string[]): Promise<string> {
  const always = ['--quiet', '--no-write-fetch-head', '--no-recurse-submodules']
  const { limits, watch, address } = git
  return withSizeLimit(join(repository, 'objects'), { limits, watch, what: address.url }, () =>
    git.run(['fetch', ...always, ...flags, '--', address.url, ...refspecs], { directory: repository }),
  )
}

function missing({ address }: Git, commit: string): KiwiError {
  return new KiwiError('REF_NOT_FOUND', `${address.url} has no commit ${commit}`, {
    evidence: { url: address.url, ref: commit },
  })
}

/** Links the packs of the newest commit that is kept, and names their commits, so that the far side sends only what is new. */
async function seed(repository: string, access: GitAccess): Promise<void> {
  const newest = (await keptRepositories(access)).at(0)
  if (newest === undefined) return
  try {
    const packs = await readdir(join(newest, 'objects/pack'))
    if (packs.length > mostPacks * 2) return
    const shallow = await readFile(join(newest, 'shallow'), 'utf8')
    for (const pack of packs) await link(join(newest, 'objects/pack', pack), join(repository, 'objects/pack', pack))
    await writeFile(join(repository, 'shallow'), shallow)
    await mkdir(join(repository, 'refs/kiwi'), { recursive: true })
    for (const commit of shallow.split('\n').filter(Boolean))
      await writeFile(join(repository, 'refs/kiwi', commit), `${commit}\n`)
  } catch {
    // Another process may have removed it meanwhile, or the file system has no links: then everything is fetched.
    await clear(repository)
  }
}

async function clear(repository: string): Promise<void> {
  await removeDirectory(join(repository, 'shallow'))
  await removeDirectory(join(repository, 'refs/kiwi'))
  await removeDirectory(join(repository, 'objects/pack'))
  await mkdir(join(repository, 'objects/pack'))
}

async function keep(made: string, access: GitAccess, commit: string): Promise<string> {
  const place = join(cacheDirectory(access), commit)
  await mkdir(cacheDirectory(access), { recursive: true, mode: 0o700 })
  try {
    await rename(made, place)
  } catch (error) {
    // Another process was first with the same commit.
    if (!(await exists(place))) throw error
  }
  for (const old of (await keptRepositories(access)).slice(keptCommits)) await discard(old)
  return place
}

/** Renamed first, so that no one finds half of it. */
async function discard(repository: string): Promise<void> {
  const aside = `${repository}.old`
  await rename(repository, aside).catch(() => undefined)
  await removeDirectory(aside)
}

/** Newest first. */
async function keptRepositories(access: GitAccess): Promise<string[]> {
  const directory = cacheDirectory(access)
  const names = await readdir(directory).catch(() => [])
  const dated = await Promise.all(
    names.map(async (name) => {
      const path = join(directory, name)
      return { path, time: (await stat(path).catch(() => undefined))?.ctimeMs ?? 0 }
    }),
  )
  return dated.sort((a, b) => b.time - a.time).map(({ path }) => path)
}

/** The token's name is part of it: who may not read a repository must not be given it from the cache of someone who may. */
function cacheDirectory({ address, token, directory }: GitAccess): string {
  const key = createHash('sha256').update(JSON.stringify([address.url, token?.secret ?? null]))
  return join(directory, 'cache', key.digest('hex').slice(0, 32))
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

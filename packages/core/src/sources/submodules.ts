import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Git, GitAccess } from './git-command.js'
import { wordsOf } from './git-error.js'
import type { CommitTree } from './git-tree.js'
import { hasControlCharacter, isFullCommit } from './ref.js'
import { refusedSubmodule, submoduleAddress } from './submodule-address.js'

const deepest = 5
const most = 200
const longestDescription = 1_000_000

/** A repository inside another, at the commit that the outer one names. */
export interface Submodule {
  readonly path: string
  readonly commit: string
  readonly access: GitAccess
}

/** A repository may name itself, at another commit, again and again. */
export function checkNesting(depth: number, tree: CommitTree, count: { submodules: number }): void {
  const path = tree.submodules[0]?.path ?? ''
  if (depth >= deepest) throw refusedSubmodule(path, `is nested deeper than ${deepest} repositories`)
  count.submodules += tree.submodules.length
  if (count.submodules > most) throw refusedSubmodule(path, `is one of more than ${most}`)
}

/**
 * Where the submodules of a commit come from. `.gitmodules` is written by whoever wrote the repository and believed in nothing: all of
 * them are checked before the first is fetched. Rejects with `SUBMODULE_REFUSED`.
 */
export async function readSubmodules(
  git: Git,
  access: GitAccess,
  place: { readonly repository: string; readonly commit: string; readonly workTree: string; readonly tree: CommitTree },
): Promise<Submodule[]> {
  const addresses = await describedAddresses(git, place)
  return Promise.all(
    place.tree.submodules.map(async ({ path, commit }) => {
      checkSubmodulePath(path)
      if (!isFullCommit(commit)) throw refusedSubmodule(path, 'has no commit')
      await checkFolders(place.workTree, path)
      const text = addresses.get(path)
      if (text === undefined) throw refusedSubmodule(path, 'has no address in .gitmodules')
      const address = submoduleAddress(access.address, path, text)
      const mayHaveToken = address.origin !== undefined && address.origin === access.address.origin
      return { path, commit, access: { ...access, address, token: mayHaveToken ? access.token : undefined } }
    }),
  )
}

/** git refuses most of these too, when it writes the tree; what is found here never becomes a path. */
export function checkSubmodulePath(path: string): void {
  if (path === '' || path.length > 1000 || hasControlCharacter(path) || path.startsWith('/') || path.includes('\\'))
    throw refusedSubmodule(path, 'has a path that is not allowed')
  for (const part of path.split('/'))
    if (part === '' || part === '.' || part === '..' || part.startsWith('-') || isGitFolder(part))
      throw refusedSubmodule(path, 'has a path that is not allowed')
}

/** Also the spellings that a file system without case, NTFS or HFS+ takes for `.git`. */
export function isGitFolder(name: string): boolean {
  const plain = name
    .replace(/\p{Cf}/gu, '')
    .toLowerCase()
    .replace(/:.*$/, '')
    .replace(/[. ]+$/, '')
  return plain === '.git' || plain === 'git~1'
}

async function describedAddresses(
  git: Git,
  { repository, commit, tree }: { readonly repository: string; readonly commit: string; readonly tree: CommitTree },
): Promise<Map<string, string>> {
  const [first] = tree.submodules
  const description = tree.files.find(({ path }) => path === '.gitmodules')
  if (description?.kind !== 'file' || description.bytes > longestDescription)
    throw refusedSubmodule(first?.path ?? '', 'is not described: there is no usable .gitmodules')
  const paths = new Map<string, string>()
  const urls = new Map<string, string>()
  for (const [name, variable, value] of parseDescription(await readDescription(git, repository, commit))) {
    if (variable === 'path') paths.set(name, value)
    if (variable === 'url') urls.set(name, value)
  }
  return new Map([...paths].flatMap(([name, path]) => pairOf(path, urls.get(name))))
}

async function readDescription(git: Git, repository: string, commit: string): Promise<string> {
  // Unlike with --file, git would follow `include.path` into files of this machine.
  const args = ['config', '--no-includes', '--blob', `${commit}:.gitmodules`, '-z', '--list']
  try {
    return await git.run(args, { directory: repository })
  } catch (error) {
    if (!/bad config|config file|config blob/i.test(wordsOf(error))) throw error
    throw new KiwiError('SUBMODULE_REFUSED', '.gitmodules cannot be read', { evidence: { git: wordsOf(error) } })
  }
}

/** `submodule.NAME.VARIABLE\nVALUE\0` each; the name may have dots in it. */
function parseDescription(output: string): [name: string, variable: string, value: string][] {
  return output.split('\0').flatMap((entry) => {
    const end = entry.indexOf('\n')
    const [, name, variable] = /^submodule\.(.+)\.([a-z][a-z0-9-]*)$/s.exec(entry.slice(0, end)) ?? []
    return name === undefined || variable === undefined ? [] : [[name, variable, entry.slice(end + 1)]]
  })
}

function pairOf(path: string, url: string | undefined): [string, string][] {
  return url === undefined ? [] : [[path.replace(/\/+$/, ''), url]]
}

/** On a file system without case, another entry of the tree may have put a link where a folder of the path should be. */
async function checkFolders(workTree: string, path: string): Promise<void> {
  let folder = workTree
  for (const part of path.split('/')) {
    folder = join(folder, part)
    const found = await lstat(folder).catch(() => undefined)
    if (found === undefined || !found.isDirectory()) throw refusedSubmodule(path, 'has a path that is not a folder')
  }
}

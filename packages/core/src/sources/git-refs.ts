import type { Ref } from '../contracts/v1/source.js'
import type { Git } from './git-command.js'
import { isFullCommit, isRef } from './ref.js'

/** A name the far side has for a commit. */
export interface NamedCommit {
  readonly commit: string
  readonly branch?: string | undefined
  readonly tag?: string | undefined
}

/** Full ref names of the far side and what each points at; a tag object's commit is under `name^{}`. */
interface Advertisement {
  readonly commits: ReadonlyMap<string, string>
  /** Where a symbolic ref (HEAD) points. */
  readonly targets: ReadonlyMap<string, string>
}

/**
 * Looks one name up without listing the rest. A branch wins over a tag of the same name, as with `git clone --branch`.
 * @returns undefined when the far side has no such name.
 */
export async function findRef(git: Git, ref: string): Promise<NamedCommit | undefined> {
  const names = ref.startsWith('refs/') || ref === 'HEAD' ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`]
  const advertised = await advertisement(git, ['--symref'], [...names, ...names.map((name) => `${name}^{}`)])
  for (const name of names) {
    const commit = advertised.commits.get(`${name}^{}`) ?? advertised.commits.get(name)
    if (commit !== undefined) return { commit, ...namesOf(advertised.targets.get(name) ?? name) }
  }
  return undefined
}

/** Every branch and tag, with its commit. */
export async function listRefs(git: Git): Promise<NamedCommit[]> {
  const { commits } = await advertisement(git, ['--heads', '--tags'], [])
  return [...commits.keys()]
    .filter((name) => !name.endsWith('^{}'))
    .map((name) => ({ commit: commits.get(`${name}^{}`) ?? commits.get(name) ?? '', ...namesOf(name) }))
}

/** The default branch first. Names that `resolve` would refuse are left out: a server can send anything. */
export async function listBranchesAndTags(git: Git): Promise<Ref[]> {
  const { commits, targets } = await advertisement(git, ['--symref'], ['HEAD', 'refs/heads/*', 'refs/tags/*'])
  const refs: Ref[] = []
  for (const [full, pointedAt] of commits) {
    const { branch, tag } = namesOf(full)
    const name = branch ?? tag
    const commit = commits.get(`${full}^{}`) ?? pointedAt
    if (name === undefined || !isRef(name) || !isFullCommit(commit)) continue
    const isDefault = targets.get('HEAD') === full
    refs.push({ name, kind: branch === undefined ? 'tag' : 'branch', commit, ...(isDefault && { default: true }) })
  }
  return refs.sort((a, b) => rank(a) - rank(b))
}

/** The order among equals stays the server's: by name. */
function rank(ref: Ref): number {
  return ref.default === true ? 0 : ref.kind === 'branch' ? 1 : 2
}

async function advertisement(git: Git, flags: readonly string[], patterns: readonly string[]): Promise<Advertisement> {
  const output = await git.run(['ls-remote', ...flags, '--', git.address.url, ...patterns])
  const commits = new Map<string, string>()
  const targets = new Map<string, string>()
  for (const line of output.split('\n')) {
    const [value = '', name] = line.split('\t')
    if (name === undefined) continue
    if (value.startsWith('ref: ')) targets.set(name, value.slice(5))
    else commits.set(name, value)
  }
  return { commits, targets }
}

function namesOf(name: string): { branch?: string; tag?: string } {
  if (name.startsWith('refs/heads/')) return { branch: name.slice('refs/heads/'.length) }
  if (name.startsWith('refs/tags/')) return { tag: name.slice('refs/tags/'.length) }
  return {}
}

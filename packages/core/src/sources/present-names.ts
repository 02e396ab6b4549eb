import { KiwiError } from '../errors/kiwi-error.js'
import { isCommitPrefix, isFullCommit } from './ref.js'
import type { WorkTree } from './work-tree.js'

/** A directory is one state: only what is checked out can be asked for. Throws `REF_NOT_FOUND`. */
export function checkPresent(path: string, ref: string, commit: string, workTree: WorkTree | undefined): void {
  const { branch, tags = [] } = workTree ?? {}
  const names = ['HEAD', ...(branch === undefined ? [] : [branch]), ...tags]
  const full = [...(branch === undefined ? [] : [`refs/heads/${branch}`]), ...tags.map((tag) => `refs/tags/${tag}`)]
  const lowered = ref.toLowerCase()
  const isCommit = (isFullCommit(lowered) || isCommitPrefix(lowered)) && commit.startsWith(lowered)
  if (names.includes(ref) || full.includes(ref) || isCommit) return
  throw new KiwiError('REF_NOT_FOUND', `${path} is at ${branch ?? commit.slice(0, 12)}, not at ${ref}`, {
    hint: 'A directory is taken as it is: ask for HEAD, check out what you want, or give the repository as a git source.',
    evidence: { directory: path, ref, commit, branches: branch === undefined ? [] : [branch], tags: [...tags] },
  })
}

/** The branch or tag that was asked for, as a git source says it. */
export function namesOf(ref: string, workTree: WorkTree | undefined): { branch?: string; tag?: string } {
  const { branch, tags = [] } = workTree ?? {}
  if (branch !== undefined && (ref === 'HEAD' || ref === branch || ref === `refs/heads/${branch}`)) return { branch }
  const tag = tags.find((name) => ref === name || ref === `refs/tags/${name}`)
  return tag === undefined ? {} : { tag }
}

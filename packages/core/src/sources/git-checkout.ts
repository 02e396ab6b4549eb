import { join } from 'node:path'
import type { Context } from '../contracts/v1/context.js'
import { cachedCommit, commitRepository } from './git-cache.js'
import { type Git, type GitAccess, withGit } from './git-command.js'
import { type CommitTree, readTree } from './git-tree.js'
import { fetchLargeFiles } from './large-files.js'
import type { Budget } from './limits.js'
import { checkNesting, readSubmodules } from './submodules.js'

/** What is wanted of a checkout, the same for a repository and its submodules. */
export interface Checkout {
  readonly context: Context
  readonly submodules: boolean
  readonly lfs: boolean
  readonly budget: Budget
  /** How many submodules there have been so far. */
  readonly count: { submodules: number }
}

/** Where the files of one repository go. */
interface Place {
  readonly commit: string
  readonly workTree: string
  /** How many repositories it lies in: 0 for the one that was asked for. */
  readonly depth: number
}

/** Writes the files of one commit, then, where that is wanted, its large files and its submodules. */
export async function checkOut(git: Git, access: GitAccess, place: Place, checkout: Checkout): Promise<void> {
  const { repository, tree } = await writeFiles(git, access, place, checkout)
  await fetchLargeFiles(git, { ...place, repository, tree }, checkout)
  if (tree.submodules.length === 0) return
  if (!checkout.submodules) {
    const because = `submodules were not asked for; ${tree.submodules.length} of them are empty folders`
    checkout.context.report({ type: 'choice', what: 'submodules', value: 'left out', because })
    return
  }
  checkNesting(place.depth, tree, checkout.count)
  for (const submodule of await readSubmodules(git, access, { ...place, repository, tree })) {
    const inside = { commit: submodule.commit, workTree: join(place.workTree, submodule.path), depth: place.depth + 1 }
    const context = { signal: git.watch.signal, secret: checkout.context.secret }
    await withGit(submodule.access, context, (own) => checkOut(own, submodule.access, inside, checkout))
  }
}

/** Tried twice: another process may clear an old commit out of the cache while it is being read. */
async function writeFiles(
  git: Git,
  access: GitAccess,
  { commit, workTree }: Place,
  { budget }: Checkout,
): Promise<{ repository: string; tree: CommitTree }> {
  const index = join(git.scratch, 'index')
  let spent = false
  for (let attempt = 1; ; attempt++) {
    const repository = await commitRepository(git, access, commit)
    try {
      const tree = await readTree(git, repository, commit)
      if (!spent) budget.spend({ files: tree.files.length, bytes: tree.bytes })
      spent = true
      await git.run(['read-tree', '--reset', '-u', commit], { directory: repository, index, workTree })
      return { repository, tree }
    } catch (error) {
      if (attempt === 2 || (await cachedCommit(access, commit)) !== undefined) throw error
    }
  }
}

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context, Probe } from '../contracts/v1/context.js'
import type { Ref, Revision, Source } from '../contracts/v1/source.js'
import type { Tree } from '../contracts/v1/tree.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { GitSourceDefinition } from '../model/service.js'
import { commitRepository, createRepository, fetchHistory } from './git-cache.js'
import { changedPaths } from './git-changes.js'
import { checkOut } from './git-checkout.js'
import { type Git, type GitAccess, removeDirectory, withGit } from './git-command.js'
import { findRef, listBranchesAndTags, listRefs, type NamedCommit } from './git-refs.js'
import { createBudget, readLimits, type SourceLimitOptions } from './limits.js'
import { checkCommit, checkRef, isCommitPrefix, isFullCommit } from './ref.js'
import { suggest } from './suggest.js'
import { readRepositoryAddress } from './url.js'

export interface GitSourceOptions extends SourceLimitOptions {
  /** Absolute. Holds `cache/` (commits already fetched) and `work/` (trees handed out); may be shared by processes. */
  readonly directory: string
}

/**
 * A Git repository as a source. `resolve` also fetches the commit, without its history, so that it knows the commit's time and subject and
 * `open` needs no network. Throws `INPUT_INVALID` for an address that is not https, ssh or an absolute path.
 */
export function gitSource(definition: GitSourceDefinition, options: GitSourceOptions): Source {
  const address = readRepositoryAddress(definition.git)
  if (definition.token !== undefined && address.origin === undefined)
    throw new KiwiError('INPUT_INVALID', 'a token is of use for an https repository only', {
      hint: 'Leave the token out; ssh uses the keys of the user Kiwi runs as.',
    })
  const access: GitAccess = {
    address,
    token: definition.token,
    directory: options.directory,
    limits: readLimits(options),
  }
  return {
    contract: 'source/v1',
    probe: (context) => probe(access, context),
    refs: (context) => refs(access, context),
    resolve: async (ref, context) => {
      checkRef(ref)
      return withGit(access, context, (git) => resolve(git, access, ref))
    },
    open: async (revision, context) => {
      checkCommit(revision.commit)
      return withGit(access, context, (git) => open(git, access, { definition, revision, context }), { keep: true })
    },
    changed: async (from, to, context) =>
      changedPaths(access, context, { from: checkCommit(from), to: checkCommit(to) }),
  }
}

async function probe(access: GitAccess, context: Context): Promise<Probe> {
  try {
    return await withGit(access, context, async (git) => {
      const version = (await git.run(['version'])).replace('git version ', '')
      const head = await findRef(git, 'HEAD')
      const details = { git: version, ...(head?.branch === undefined ? {} : { branch: head.branch }) }
      return { ok: true, summary: `${access.address.url} answers`, details }
    })
  } catch (error) {
    const { code, message } = KiwiError.from(error)
    if (code === 'CANCELLED' || code === 'LEASE_LOST') throw error
    return { ok: false, summary: message, details: { code } }
  }
}

async function* refs(access: GitAccess, context: Context): AsyncIterable<Ref> {
  yield* await withGit(access, context, listBranchesAndTags)
}

async function resolve(git: Git, access: GitAccess, ref: string): Promise<Revision> {
  const found = await findCommit(git, access, ref)
  const repository = await commitRepository(git, access, found.commit)
  const [seconds = '', subject = ''] = (
    await git.run(['log', '-1', '--no-show-signature', '--format=%ct%n%s', found.commit], { directory: repository })
  ).split('\n')
  return { ...found, ref, subject, committedAtSeconds: Number(seconds) }
}

async function findCommit(git: Git, access: GitAccess, ref: string): Promise<NamedCommit> {
  const lowered = ref.toLowerCase()
  if (isFullCommit(lowered)) return { commit: lowered }
  const named = await findRef(git, ref)
  if (named !== undefined) return named
  const abbreviated = isCommitPrefix(lowered) ? await findAbbreviated(git, lowered) : undefined
  if (abbreviated !== undefined) return { commit: abbreviated }
  throw await notFound(git, access, ref)
}

/** No protocol has a question for this: unless a branch or tag ends in it, all commits (without their files) are asked for. */
async function findAbbreviated(git: Git, prefix: string): Promise<string | undefined> {
  const named = await listRefs(git)
  const tips = new Set(named.map(({ commit }) => commit).filter((commit) => commit.startsWith(prefix)))
  if (tips.size === 1) return [...tips][0]
  const repository = join(git.scratch, 'history')
  await createRepository(git, repository, named[0]?.commit ?? '')
  await fetchHistory(git, repository, 'commits')
  const output = await git.run(['rev-list', '--all', '--no-object-names'], { directory: repository })
  const candidates = output.split('\n').filter((commit) => commit.startsWith(prefix))
  if (candidates.length < 2) return candidates[0]
  throw new KiwiError('REF_NOT_FOUND', `${prefix} is the beginning of ${candidates.length} commits`, {
    hint: 'Give more of the commit SHA.',
    evidence: { ref: prefix, commits: candidates.slice(0, 10) },
  })
}

async function notFound(git: Git, { address }: GitAccess, ref: string): Promise<KiwiError> {
  const named = await listRefs(git)
  const branches = suggest(
    ref,
    named.flatMap(({ branch }) => branch ?? []),
  )
  const tags = suggest(
    ref,
    named.flatMap(({ tag }) => tag ?? []),
  )
  const close = [...new Set([...branches, ...tags])]
  return new KiwiError('REF_NOT_FOUND', `${address.url} has no branch, tag or commit ${ref}`, {
    ...(close.length === 0 ? {} : { hint: `Did you mean ${close.join(' or ')}?` }),
    evidence: { url: address.url, ref, branches, tags },
  })
}

async function open(
  git: Git,
  access: GitAccess,
  {
    definition: { submodules = false, lfs = false },
    revision: { commit },
    context,
  }: { readonly definition: GitSourceDefinition; readonly revision: Revision; readonly context: Context },
): Promise<Tree & AsyncDisposable> {
  const workTree = join(git.scratch, 'tree')
  await mkdir(workTree)
  const budget = createBudget(access.limits, access.address.url)
  const checkout = { context, submodules, lfs, budget, count: { submodules: 0 } }
  await checkOut(git, access, { commit, workTree, depth: 0 }, checkout)
  return { directory: workTree, [Symbol.asyncDispose]: () => removeDirectory(git.scratch) }
}

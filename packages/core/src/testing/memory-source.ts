import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Ref, Source } from '../contracts/v1/source.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { checkRef, isCommitPrefix } from '../sources/ref.js'
import { suggest } from '../sources/suggest.js'

/** Text by path. */
export type MemoryFiles = Readonly<Record<string, string>>

export interface MemorySource extends Required<Source> {
  /** The branch has these files from now on, and no others; made when it is new. Answers the commit. */
  commit(branch: string, files: MemoryFiles, options?: { readonly subject?: string; readonly tag?: string }): string
}

interface Commit {
  readonly files: MemoryFiles
  readonly subject: string
  readonly number: number
}

/** A repository in memory. Its trees are directories below `directory` (default: the system's temporary one). The first branch is the default one. */
export function memorySource({ directory = tmpdir() }: { readonly directory?: string } = {}): MemorySource {
  const commits = new Map<string, Commit>()
  const names = new Map<string, Ref>()
  const known = (commit: string) => {
    const found = commits.get(commit)
    if (!found) throw new KiwiError('REF_NOT_FOUND', `there is no commit ${commit}`)
    return found
  }
  const find = (ref: string): Ref | { readonly commit: string } => {
    const named = names.get(`branch ${ref}`) ?? names.get(`tag ${ref}`)
    if (named) return named
    const matches = isCommitPrefix(ref) ? [...commits.keys()].filter((commit) => commit.startsWith(ref)) : []
    if (matches.length === 1 && matches[0] !== undefined) return { commit: matches[0] }
    const close = suggest(ref, [...new Set([...names.values()].map(({ name }) => name))])
    throw new KiwiError('REF_NOT_FOUND', `there is no branch, tag or commit ${ref}`, {
      ...(close.length > 0 && { hint: `Did you mean ${close.join(' or ')}?` }),
      evidence: { ref, close },
    })
  }
  return {
    contract: 'source/v1',
    probe: async () => ({ ok: true, summary: 'in memory', details: {} }),
    commit(branch, files, { subject = `commit ${commits.size + 1}`, tag } = {}) {
      const number = commits.size + 1
      const text = JSON.stringify([number, subject, files])
      const commit = createHash('sha1').update(text).digest('hex')
      const isDefault = names.size === 0 || names.get(`branch ${branch}`)?.default === true
      commits.set(commit, { files, subject, number })
      names.set(`branch ${branch}`, { name: branch, kind: 'branch', commit, ...(isDefault && { default: true }) })
      if (tag !== undefined) names.set(`tag ${tag}`, { name: tag, kind: 'tag', commit })
      return commit
    },
    async *refs({ signal }) {
      signal.throwIfAborted()
      yield* [...names.values()].sort((one, other) => Number(other.default ?? false) - Number(one.default ?? false))
    },
    async resolve(ref, { signal }) {
      signal.throwIfAborted()
      const found = find(checkRef(ref))
      const { subject, number } = known(found.commit)
      const name = 'kind' in found && { [found.kind]: found.name }
      return { commit: found.commit, ref, ...name, subject, committedAtSeconds: 1_700_000_000 + number }
    },
    async open({ commit }, { signal }) {
      signal.throwIfAborted()
      return write(known(commit).files, directory)
    },
    async changed(from, to, { signal }) {
      signal.throwIfAborted()
      const [before, after] = [known(from).files, known(to).files]
      const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])]
      return paths.filter((path) => before[path] !== after[path]).sort()
    },
  }
}

async function write(files: MemoryFiles, below: string): Promise<{ directory: string } & AsyncDisposable> {
  await mkdir(below, { recursive: true })
  const directory = await mkdtemp(join(below, 'kiwi-memory-'))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(directory, dirname(path)), { recursive: true })
    await writeFile(join(directory, path), text)
  }
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) }
}

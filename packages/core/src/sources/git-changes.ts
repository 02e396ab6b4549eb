import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../contracts/v1/context.js'
import { commitRepository, createRepository } from './git-cache.js'
import { type GitAccess, withGit } from './git-command.js'

/** Paths that differ between two commits. Both are fetched without their history, unless they are still there from earlier. */
export async function changedPaths(
  access: GitAccess,
  context: Context,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<string[]> {
  if (from === to) return []
  // One after the other, each in a scratch folder of its own: the second then builds on the first.
  const older = await withGit(access, context, (git) => commitRepository(git, access, from))
  return withGit(access, context, async (git) => {
    const newer = await commitRepository(git, access, to)
    const both = join(git.scratch, 'both')
    await createRepository(git, both, to)
    await mkdir(join(both, 'objects/info'), { recursive: true })
    await writeFile(
      join(both, 'objects/info/alternates'),
      [older, newer].map((one) => `${join(one, 'objects')}\n`).join(''),
    )
    const fields = await git.list(['diff-tree', '-r', '-z', '--raw', '--no-renames', from, to], { directory: both })
    // `:modes objects status`, then the path.
    return fields.filter((_, index) => index % 2 === 1)
  })
}

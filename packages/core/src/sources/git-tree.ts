import type { Git } from './git-command.js'

/** What a commit holds, before anything of it is written. */
export interface CommitTree {
  /** Files and symbolic links. */
  readonly files: readonly TreeFile[]
  readonly submodules: readonly { readonly path: string; readonly commit: string }[]
  readonly bytes: number
}

export interface TreeFile {
  readonly path: string
  readonly kind: 'file' | 'link'
  readonly bytes: number
}

/** Rejects with `SOURCE_TOO_LARGE` as soon as there are more entries than files are allowed. */
export async function readTree(git: Git, repository: string, commit: string): Promise<CommitTree> {
  const files: TreeFile[] = []
  const submodules: { path: string; commit: string }[] = []
  for (const entry of await git.list(['ls-tree', '-r', '-l', '-z', commit], { directory: repository })) {
    const tab = entry.indexOf('\t')
    const [mode = '', , object = '', size = ''] = entry.slice(0, tab).split(/ +/)
    const path = entry.slice(tab + 1)
    if (mode === '160000') submodules.push({ path, commit: object })
    else files.push({ path, kind: mode === '120000' ? 'link' : 'file', bytes: Number(size) })
  }
  return { files, submodules, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
}

import { hash } from 'node:crypto'
import { KiwiError } from '@kiwi/core'
import type { CopySource, Where } from './copy-sources.js'
import type { SourceTree } from './source-tree.js'

/** A heredoc is a file of its name. Throws `CONTEXT_INVALID` for a name that is a path. */
export function textSource(name: string, text: string, { line, instruction }: Where): CopySource {
  if (/\/|^\.{0,2}$/.test(name)) {
    throw new KiwiError('CONTEXT_INVALID', `line ${line}: ${name} cannot be the name of a file`, {
      hint: 'Name the file in the destination, and mark its end with a plain word such as EOF.',
      evidence: { name, line, instruction },
    })
  }
  const bytes = Buffer.from(text)
  const root = { path: name, type: 'file' as const, mode: 0o644, uid: 0, gid: 0, size: bytes.byteLength }
  const sha256 = hash('sha256', bytes, 'hex')
  const tree: SourceTree = {
    name: 'the Dockerfile',
    lookup: () => root,
    children: () => [],
    resolve: () => name,
    hash: () => sha256,
    content: () => bytes,
  }
  return { tree, name, root, files: [{ entry: root, path: '', sha256 }] }
}

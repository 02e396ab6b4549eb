import { hash } from 'node:crypto'
import type { CopySource } from './copy-sources.js'
import type { SourceTree } from './source-tree.js'

/** A heredoc is a file of its name. */
export function textSource(name: string, text: string): CopySource {
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

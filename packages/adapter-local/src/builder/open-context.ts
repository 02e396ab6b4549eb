import { readFile, realpath } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { type BuildRequest, KiwiError } from '@kiwi/core'
import { contextTree } from './context-tree.js'
import { type FileHashes, fileHashes } from './file-hashes.js'
import { readIgnore } from './ignore.js'
import type { SourceTree } from './source-tree.js'

export interface OpenContext {
  readonly tree: SourceTree
  readonly hashes: FileHashes
}

/** The build context without what is ignored. Rejects with `CONTEXT_INVALID` when it is not inside the source. */
export async function openContext(
  directory: string,
  request: BuildRequest,
  stateDirectory: string,
): Promise<OpenContext> {
  const [root, ignore] = await Promise.all([
    contextRoot(directory, request.contextPath),
    ignoreText(directory, request),
  ])
  const hashes = await fileHashes(stateDirectory, root)
  return { tree: contextTree(root, readIgnore(ignore), hashes), hashes }
}

async function contextRoot(directory: string, contextPath: string): Promise<string> {
  const whole = await realpath(directory)
  const root = contextPath === '.' ? whole : await realpath(join(whole, contextPath)).catch(() => undefined)
  if (root !== undefined && (root === whole || root.startsWith(`${whole}/`))) return root
  throw new KiwiError('CONTEXT_INVALID', `the build context ${contextPath} is not in the source`, {
    evidence: { path: contextPath },
  })
}

/** The wizard's own, then the Dockerfile's, then the context's. */
async function ignoreText(
  directory: string,
  { ignore, dockerfilePath, contextPath }: BuildRequest,
): Promise<string | undefined> {
  if (ignore !== undefined) return ignore
  const text = (path: string) => readFile(join(directory, path), 'utf8').catch(() => undefined)
  return (await text(`${dockerfilePath}.dockerignore`)) ?? (await text(posix.join(contextPath, '.dockerignore')))
}

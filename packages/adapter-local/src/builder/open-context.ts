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

/** Where a context lies in the source, and what says which of its files are ignored. */
export interface ContextPlace extends Pick<BuildRequest, 'contextPath' | 'ignore'> {
  readonly dockerfilePath?: string | undefined
}

/** The build context without what is ignored. Rejects with `CONTEXT_INVALID` when it is not inside the source. */
export async function openContext(
  directory: string,
  request: ContextPlace,
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
  const root = await realWithin(directory, contextPath, 'the build context')
  if (root !== undefined) return root
  throw outside('the build context', contextPath)
}

/** The wizard's own, then the Dockerfile's, then the context's. */
async function ignoreText(
  directory: string,
  { ignore, dockerfilePath, contextPath }: ContextPlace,
): Promise<string | undefined> {
  if (ignore !== undefined) return ignore
  const text = async (path: string) => {
    const file = await realWithin(directory, path, 'the ignore file')
    if (file === undefined) return undefined
    return readFile(file, 'utf8').catch((cause: unknown) => {
      throw new KiwiError('CONTEXT_INVALID', `${path} cannot be read`, { cause, evidence: { path } })
    })
  }
  const own = dockerfilePath === undefined ? undefined : await text(`${dockerfilePath}.dockerignore`)
  return own ?? (await text(posix.join(contextPath, '.dockerignore')))
}

/** Where a path of the source really lies, undefined when it is not there. A link may lead nowhere but inside. */
async function realWithin(directory: string, path: string, what: string): Promise<string | undefined> {
  const whole = await realpath(directory)
  const real = await realpath(join(whole, path)).catch(() => undefined)
  if (real === undefined || real === whole || real.startsWith(`${whole}/`)) return real
  throw outside(what, path)
}

function outside(what: string, path: string): KiwiError {
  return new KiwiError('CONTEXT_INVALID', `${what} ${path} is not in the source`, { evidence: { path } })
}

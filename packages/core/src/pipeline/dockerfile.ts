import { readFile, realpath } from 'node:fs/promises'
import { join, posix, relative, sep } from 'node:path'
import { KiwiError } from '../errors/kiwi-error.js'
import type { BuildSettings } from '../model/service.js'
import { findDockerfiles } from './find-dockerfiles.js'
import type { ChosenDockerfile } from './recipe.js'
import { askWizard } from './wizard.js'

/**
 * The path given, the nearest one to the context, or what the wizard writes. Rejects with `DOCKERFILE_MISSING`, `STACK_UNKNOWN`,
 * `CONTEXT_INVALID` for a context that is missing or leads out of the repository, and `DOCKERFILE_SYNTAX` with line and column, whatever
 * builder comes after.
 */
export async function chooseDockerfile(directory: string, settings: BuildSettings): Promise<ChosenDockerfile> {
  const { dockerfile = { mode: 'auto' }, context = '.' } = settings
  const inside = await insideOf(directory, context, 'CONTEXT_INVALID')
  if (dockerfile.mode === 'wizard') return askWizard(inside, settings.baseImage)
  if (dockerfile.mode === 'path') return read(directory, dockerfile.path, 'path', context)
  const [nearest, ...others] = await findDockerfiles(directory, posix.normalize(context))
  if (nearest === undefined) return askWizard(inside, settings.baseImage)
  return { ...(await read(directory, nearest, 'found', context)), others }
}

async function read(
  directory: string,
  path: string,
  from: 'path' | 'found',
  context: string,
): Promise<ChosenDockerfile> {
  try {
    const file = await insideOf(directory, path, 'DOCKERFILE_MISSING')
    const text = await readFile(file, 'utf8')
    await checkSyntax(path, text)
    return { from, path, text, reasons: [], others: [] }
  } catch (cause) {
    if (KiwiError.is(cause)) throw cause
    const there = await findDockerfiles(directory, context)
    const known = there.length > 0 ? `; there is ${there.join(', ')}` : ''
    throw new KiwiError('DOCKERFILE_MISSING', `the repository has no ${path}${known}`, {
      cause,
      evidence: { path, found: there },
    })
  }
}

async function checkSyntax(path: string, text: string): Promise<void> {
  const { DockerfileSyntaxError, parseDockerfile } = await import('@kiwi/wizard/dockerfile') // lazily: importing this package has to be quick
  try {
    parseDockerfile(text)
  } catch (cause) {
    if (!(cause instanceof DockerfileSyntaxError)) throw cause
    const { line, column, message, hint } = cause
    throw new KiwiError('DOCKERFILE_SYNTAX', `${path}, line ${line}, column ${column}: ${message}`, {
      cause,
      hint,
      evidence: { path, line, column },
    })
  }
}

/** Links are followed as far as the repository's own files: what lies outside is not part of the revision. */
async function insideOf(
  directory: string,
  path: string,
  code: 'CONTEXT_INVALID' | 'DOCKERFILE_MISSING',
): Promise<string> {
  const root = await realpath(directory)
  const real = await realpath(join(directory, path)).catch((cause: unknown) => {
    if (code === 'DOCKERFILE_MISSING') throw cause
    throw new KiwiError(code, `the repository has no directory ${path}`, { cause, evidence: { path } })
  })
  const way = relative(root, real)
  if (way !== '..' && !way.startsWith(`..${sep}`)) return real
  throw new KiwiError(code, `${path} leads out of the repository`, { evidence: { path } })
}

import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { KiwiError } from '@kiwi/core'
import { makeScratch } from '../layers/index.js'
import { readTar } from '../layers/tar/read.js'
import { tools } from '../tools/catalogue.js'
import { findTool } from '../tools/find.js'
import { startTool } from '../tools/start.js'

/**
 * How the commands of a build are kept from this machine. `namespaces`: Linux namespaces on an overlay. `none`: plain processes in a copy
 * of the image's files, with all the rights of this one. `auto` (default): namespaces, or no RUN at all. `auto-with-none`: the better one
 * that works here.
 */
export type Isolation = 'namespaces' | 'none' | 'auto' | 'auto-with-none'

/** What works here. */
export interface FoundIsolation {
  readonly kind: 'namespaces' | 'none' | 'missing'
  /** Why not better; for `namespaces` what was tried. */
  readonly because: string
  readonly cure?: string | undefined
}

const neededTools = ['base64', 'env', 'ln', 'mkdir', 'mount', 'setpriv', 'sh', 'tar', 'unshare'] as const

/** Finds out by doing it in the state folder; leaves nothing behind. */
export async function chooseIsolation(
  wanted: Isolation,
  stateDirectory: string,
  signal: AbortSignal,
): Promise<FoundIsolation> {
  if (wanted === 'none') return { kind: 'none', because: 'it was asked for' }
  const lacking = await whyNoNamespaces(stateDirectory, signal)
  if (lacking === undefined) {
    return { kind: 'namespaces', because: 'root, the tools, and overlayfs in the state folder all work' }
  }
  return { kind: wanted === 'auto-with-none' ? 'none' : 'missing', ...lacking }
}

/** The programs that are not there, as `program (package)`. */
export function missingTools(): string[] {
  return neededTools.filter((name) => findTool(name) === undefined).map((name) => `${name} (package ${tools[name]})`)
}

type Lacking = Pick<FoundIsolation, 'because' | 'cure'>

async function whyNoNamespaces(stateDirectory: string, signal: AbortSignal): Promise<Lacking | undefined> {
  if (process.platform !== 'linux') return { because: `${process.platform} has no namespaces`, cure: 'Build on Linux.' }
  const missing = missingTools()
  if (missing.length > 0)
    return { because: `programs are missing: ${missing.join(', ')}`, cure: 'Install the packages named.' }
  if (process.getuid?.() !== 0) {
    return {
      because: 'this process is not root',
      cure: 'Run it as root, or allow isolation none for Dockerfiles you trust.',
    }
  }
  return tryOverlay(stateDirectory, signal)
}

const unfit =
  'Put the state directory on a local file system such as ext4 or xfs (in a container: on a volume), and give the container CAP_SYS_ADMIN.'

/** Removes an entry, and a directory to make it again: the two marks that a layer is read from must be there after. */
const trial = `set -e
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work,redirect_dir=off,metacopy=off,index=off merged
rmdir merged/file
rm -r merged/directory
mkdir merged/directory`

async function tryOverlay(stateDirectory: string, signal: AbortSignal): Promise<Lacking | undefined> {
  try {
    await using scratch = await makeScratch(stateDirectory)
    const folder = scratch.directory
    for (const name of ['lower/directory/x', 'lower/file', 'upper', 'work', 'merged']) {
      await mkdir(join(folder, name), { recursive: true })
    }
    const args = ['-m', '-p', '-f', '-u', '-i', '--propagation', 'private', '--', 'sh', '-c', trial]
    const running = startTool('unshare', args, { signal, directory: folder })
    running.stdin.end()
    running.stdout.resume()
    await running.done
    const whiteout = await stat(join(folder, 'upper/file'))
    if (!whiteout.isCharacterDevice())
      return { because: 'a removed file leaves no whiteout in the state folder', cure: unfit }
    if (await isOpaque(folder, signal)) return undefined
    return { because: 'the state folder cannot hold the attribute trusted.overlay.opaque', cure: unfit }
  } catch (error) {
    signal.throwIfAborted()
    const { message } = KiwiError.from(error)
    return {
      because: `no overlay can be mounted with ${stateDirectory} as its upper directory: ${message}`,
      cure: unfit,
    }
  }
}

async function isOpaque(folder: string, signal: AbortSignal): Promise<boolean> {
  const tar = startTool(
    'tar',
    ['--format=posix', '--xattrs', '--xattrs-include=*', '-C', join(folder, 'upper'), '-cf', '-', 'directory'],
    { signal },
  )
  tar.stdin.end()
  let found = false
  for await (const { attributes } of readTar(tar.stdout)) found ||= attributes?.['trusted.overlay.opaque'] !== undefined
  await tar.done
  return found
}

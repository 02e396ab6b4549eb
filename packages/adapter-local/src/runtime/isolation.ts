import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { tools } from '../tools/catalogue.js'
import { findTool } from '../tools/find.js'
import type { Isolation } from './setting.js'

/** What this machine can do, found by doing it. */
export interface Ability {
  readonly isolation: Isolation
  /** Why not more. */
  readonly because: string
}

const needed = ['env', 'ln', 'mkdir', 'mount', 'setpriv', 'sh', 'unshare'] as const

/** Tries to mount an overlay below `directory` in namespaces of its own; leaves nothing behind. */
export async function findIsolation(directory: string): Promise<Ability> {
  if (process.platform !== 'linux') return { isolation: 'none', because: `${process.platform} has no namespaces` }
  const missing = missingTools()
  if (missing.length > 0) return { isolation: 'none', because: `missing: ${missing.join(', ')}` }
  if (process.getuid?.() !== 0) return { isolation: 'none', because: 'it takes root' }
  await mkdir(directory, { recursive: true })
  const scratch = await mkdtemp(join(directory, '.isolation-'))
  try {
    for (const name of ['lower', 'upper', 'work', 'root']) await mkdir(join(scratch, name))
    const options = 'lowerdir=lower,upperdir=upper,workdir=work'
    const mount = ['mount', '-t', 'overlay', '-o', options, 'overlay', 'root']
    await promisify(execFile)('unshare', ['--mount', '--pid', '--ipc', '--fork', ...mount], { cwd: scratch })
    return { isolation: 'namespaces', because: 'root, with overlayfs' }
  } catch (error) {
    return { isolation: 'none', because: error instanceof Error ? error.message.trim() : String(error) }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** `program (package)`, for each that is not there. */
export function missingTools(): string[] {
  return needed.filter((name) => findTool(name) === undefined).map((name) => `${name} (package ${tools[name]})`)
}

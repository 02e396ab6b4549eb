import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { View } from '../layers/index.js'

/**
 * Makes the places that mounts need and the image lacks, in a directory that is mounted above the image's layers and below the step's
 * own: so they are there, and never part of what the step changed. Directories that the image has keep their looks.
 */
export async function makeStubs(
  directory: string,
  view: View,
  targets: readonly { readonly path: string; readonly type: 'file' | 'directory' }[],
): Promise<void> {
  await mkdir(directory, { mode: 0o755 })
  await dress(directory, '', view)
  for (const { path, type } of targets) {
    if (view.lookup(path) !== undefined) continue
    const parts = path.split('/')
    const parents = parts
      .slice(0, type === 'file' ? -1 : undefined)
      .map((_, index) => parts.slice(0, index + 1).join('/'))
    for (const parent of parents) await makeDirectory(directory, parent, view)
    if (type === 'file') await writeFile(join(directory, path), '')
  }
}

async function makeDirectory(directory: string, path: string, view: View): Promise<void> {
  await mkdir(join(directory, path), { recursive: true, mode: 0o755 })
  await dress(directory, path, view)
}

async function dress(directory: string, path: string, view: View): Promise<void> {
  const { mode = 0o755, uid = 0, gid = 0 } = view.lookup(path)?.entry ?? {}
  await chown(join(directory, path), uid, gid)
  await chmod(join(directory, path), mode)
}

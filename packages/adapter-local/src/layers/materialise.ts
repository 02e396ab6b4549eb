import { chmod, constants, copyFile, lchown, link, lstat, lutimes, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Layer, LayerStore } from './store.js'
import { mergedView, type View, type ViewEntry } from './view.js'

/**
 * Writes the merged files of an image into an empty directory, for running without overlayfs. Every directory on the way is made here,
 * so no symlink of the image can lead out. Owners are kept where this process may set them; devices are left out.
 */
export async function materialise(
  layers: readonly Layer[],
  directory: string,
  options: { readonly store: LayerStore; readonly signal: AbortSignal },
): Promise<void> {
  const { store, signal } = options
  const trees = await Promise.all(layers.map((layer) => store.ensure(layer, signal)))
  const view = mergedView(await Promise.all(layers.map((layer) => store.index(layer, signal))))
  await writeDirectory({ view, trees, target: directory, linked: new Map(), signal }, '')
}

interface Work {
  readonly view: View
  readonly trees: readonly string[]
  readonly target: string
  /** The first path of each file, once it is written, by layer and the name that holds its content. */
  readonly linked: Map<string, Promise<string>>
  readonly signal: AbortSignal
}

async function writeDirectory(work: Work, path: string): Promise<void> {
  work.signal.throwIfAborted()
  const found = work.view.lookup(path)
  await mkdir(join(work.target, path), { recursive: path === '' })
  const files: Promise<void>[] = []
  const directories: string[] = []
  for (const name of work.view.children(path)) {
    const child = path === '' ? name : `${path}/${name}`
    const entry = work.view.lookup(child)
    if (entry?.entry.type === 'directory') directories.push(child)
    else if (entry !== undefined) files.push(writeFile(work, child, entry))
  }
  await Promise.all(files)
  for (const directory of directories) await writeDirectory(work, directory)
  if (found !== undefined) await setAttributes(work, path, found)
}

async function writeFile(work: Work, path: string, found: ViewEntry): Promise<void> {
  const { entry, layer } = found
  const target = join(work.target, path)
  if (entry.type === 'other') return
  if (entry.type === 'symlink') {
    await symlink(entry.link ?? '', target)
    return setAttributes(work, path, found)
  }
  const key = `${layer}:${entry.type === 'hardlink' ? entry.link : path}`
  const first = work.linked.get(key)
  if (first !== undefined) return link(join(work.target, await first), target)
  const written = copyContent(work, path, found)
  work.linked.set(key, written)
  await written
}

async function copyContent(work: Work, path: string, found: ViewEntry): Promise<string> {
  await copyFile(join(work.trees[found.layer] ?? '', path), join(work.target, path), constants.COPYFILE_FICLONE)
  await setAttributes(work, path, found)
  return path
}

async function setAttributes(work: Work, path: string, { entry, layer }: ViewEntry): Promise<void> {
  const target = join(work.target, path)
  if (process.getuid?.() === 0) await lchown(target, entry.uid, entry.gid)
  if (entry.type !== 'symlink') await chmod(target, entry.mode | (entry.type === 'directory' ? 0o700 : 0o400))
  const { atime, mtime } = await lstat(join(work.trees[layer] ?? '', entry.path))
  await lutimes(target, atime, mtime)
}

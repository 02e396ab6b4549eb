import { existsSync } from 'node:fs'
import { mkdir, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type LayerStore, materialise, type ReadImage } from '../layers/index.js'
import type { Launch } from '../supervisor/api.js'

/**
 * Where namespaces are not to be had: the image's files are copied into a directory, and the command runs from there as a plain process.
 * Paths in the command that the image has are turned into those of the copy; a command called `node` is the Node.js that runs Kiwi.
 */
export async function plainLaunch(
  { layers, made }: { readonly layers: LayerStore; readonly made: string },
  image: ReadImage,
  launch: Omit<Launch, 'root'>,
  signal: AbortSignal,
): Promise<Launch> {
  const path = join(made, 'root')
  await mkdir(path)
  await materialise(image.layers, path, { store: layers, signal })
  for (const { source, target } of launch.mounts) await linkVolume(source, join(path, target))
  const [command = '', ...rest] = launch.argv
  const inside = (argument: string) => {
    const copy = join(path, argument)
    return argument.startsWith('/') && existsSync(copy) ? copy : argument
  }
  const program = basename(command) === 'node' ? process.execPath : inside(command)
  const { PATH: _, ...env } = launch.env // the programs it names are the image's
  return {
    ...launch,
    env,
    mounts: [],
    argv: [program, ...rest.map(inside)],
    root: { form: 'directory', path, made },
  }
}

/** A link cannot keep anyone from writing. */
async function linkVolume(source: string, target: string): Promise<void> {
  await rm(target, { recursive: true, force: true })
  await mkdir(dirname(target), { recursive: true })
  await symlink(source, target)
}

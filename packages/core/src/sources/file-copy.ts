import { constants, copyFile as copyOne, mkdir, readdir, readlink, symlink } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { cancelled } from './cancelled.js'
import { eachAtOnce } from './each-at-once.js'
import { codeOf, fileError } from './file-error.js'

/** Without moving bytes where the file system can share them. Keeps the mode. Follows a link: look first. */
export function copyFile(from: string, to: string): Promise<void> {
  return copyOne(from, to, constants.COPYFILE_FICLONE)
}

/** Copies a directory of files, links and folders, with its links as they are. @returns false when it was taken away meanwhile. */
export async function copyTree(from: string, to: string, signal: AbortSignal): Promise<boolean> {
  try {
    const entries = await readdir(from, { recursive: true, withFileTypes: true })
    const places = entries.map((entry) => {
      const source = join(entry.parentPath, entry.name)
      return { entry, source, copy: join(to, relative(from, source)) }
    })
    await mkdir(to)
    for (const { entry, copy } of places) if (entry.isDirectory()) await mkdir(copy, { recursive: true })
    await eachAtOnce(places, async ({ entry, source, copy }) => {
      if (signal.aborted) throw cancelled(signal)
      if (entry.isSymbolicLink()) await symlink(await readlink(source), copy)
      else if (entry.isFile()) await copyFile(source, copy)
    })
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw fileError(error, from)
  }
}

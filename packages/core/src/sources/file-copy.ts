import { constants, copyFile as copyOne, cp } from 'node:fs/promises'
import { cancelled } from './cancelled.js'
import { codeOf, fileError } from './file-error.js'

/** Without moving bytes where the file system can share them. The mode is kept, a link is not followed by the caller's own check. */
export function copyFile(from: string, to: string): Promise<void> {
  return copyOne(from, to, constants.COPYFILE_FICLONE)
}

/** Copies a directory with its links as they are. @returns false when it was taken away meanwhile. */
export async function copyTree(from: string, to: string, signal: AbortSignal): Promise<boolean> {
  try {
    await cp(from, to, {
      recursive: true,
      verbatimSymlinks: true,
      mode: constants.COPYFILE_FICLONE,
      filter: () => !signal.aborted,
    })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw fileError(error, from)
  }
  if (signal.aborted) throw cancelled(signal)
  return true
}

import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, rm, stat, utimes } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Writes a whole file or none: readers see the old content or the new, also after a power cut. */
export async function writeAtomically(path: string, content: string | Uint8Array): Promise<void> {
  await writePart(path, async (file) => {
    await file.writeFile(content)
    return path
  })
}

/** Lets `write` fill a new file beside `near`, makes it durable and renames it to the path that `write` answers. */
export async function writePart(near: string, write: (file: FileHandle) => Promise<string>): Promise<void> {
  const part = join(dirname(near), `.${randomUUID()}.part`)
  const file = await inDirectory(near, () => open(part, 'wx'))
  try {
    const path = await write(file)
    await file.datasync()
    await file.close()
    await rename(part, path)
  } catch (error) {
    await file.close().catch(() => undefined)
    await rm(part, { force: true })
    throw error
  }
}

/** Makes the directory of `path` only when it turns out to be missing. */
export async function inDirectory<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isMissing(error)) throw error
    await mkdir(dirname(path), { recursive: true })
    return work()
  }
}

/** Makes the names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** `undefined` in place of "no such file". */
export async function orMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** The size of a file that somebody counts on from now on, so that `sweep` leaves it alone; `undefined` when it is not there. */
export async function keepFile(path: string): Promise<number | undefined> {
  const found = await orMissing(stat(path))
  if (!found || Date.now() - found.mtimeMs < 1000) return found?.size
  const now = new Date()
  try {
    await utimes(path, now, now)
    return found.size
  } catch (error) {
    if (isMissing(error)) return undefined
    if (hasCode(error, 'EROFS', 'EPERM', 'EACCES')) return found.size // a folder that is only read
    throw error
  }
}

const asidePrefix = '.swept-'

/**
 * Removes a file that nobody has kept since; answers its size, `undefined` when it stays. It is set aside first and looked at once more: who keeps it
 * in between gets it back, who comes later is told that it is not there.
 */
export async function sweep(path: string, sinceMs: number): Promise<number | undefined> {
  const found = await orMissing(stat(path))
  if (!found || found.mtimeMs >= sinceMs) return undefined
  const aside = join(dirname(path), `${asidePrefix}${basename(path)}`)
  const isAside = await orMissing(rename(path, aside).then(() => true))
  return isAside ? settle(aside, sinceMs) : undefined
}

/** Ends what a process that died in the middle of `sweep` has begun. Answers whether the name was one of those. */
export async function settleAside(path: string, sinceMs: number): Promise<boolean> {
  if (!basename(path).startsWith(asidePrefix)) return false
  await settle(path, sinceMs)
  return true
}

async function settle(aside: string, sinceMs: number): Promise<number | undefined> {
  const found = await orMissing(stat(aside))
  if (!found) return undefined
  if (found.mtimeMs < sinceMs) {
    await rm(aside, { force: true })
    return found.size
  }
  await orMissing(rename(aside, join(dirname(aside), basename(aside).slice(asidePrefix.length))))
  return undefined
}

function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'ENOTDIR')
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

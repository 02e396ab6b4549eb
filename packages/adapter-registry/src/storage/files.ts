import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

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

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}

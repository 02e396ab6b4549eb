import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Writes a file so that a reader sees the old one or the new one, whole. Makes the folder when it is not there. */
export async function writeAtomically(file: string, content: string): Promise<void> {
  const part = `${file}.${randomUUID()}.part`
  try {
    await writeFile(part, content).catch(async (error: unknown) => {
      if (!isMissing(error)) throw error
      await mkdir(dirname(file), { recursive: true })
      await writeFile(part, content)
    })
    await rename(part, file)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

import { createHash, type Hash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '@kiwi/core'
import { parseDigest } from '../names.js'
import { type Content, writeAll } from './content.js'
import { inDirectory, orMissing } from './files.js'

/** Blobs on their way in over HTTP, one file each: any process that serves the folder can go on with one. */
export interface Uploads {
  begin(): Promise<string>
  /** Bytes so far; `undefined` for an unknown id. */
  size(id: string): Promise<number | undefined>
  /** Appends and returns the new size. What arrived before an interruption is kept. */
  append(id: string, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number>
  /** Moves the upload into the content if its digest is that one; `false` (and the upload is gone) if not. */
  finish(id: string, digest: Digest): Promise<boolean>
  cancel(id: string): Promise<void>
  /** Removes uploads that nobody touched for that long. */
  purge(olderThanMs: number): Promise<void>
}

/** What this process hashed of an upload so far, so that the end needs no second reading. */
interface Progress {
  readonly hash: Hash
  size: number
}

export function openUploads(directory: string, content: Content): Uploads {
  const folder = join(directory, 'uploads')
  const path = (id: string) => join(folder, id)
  const progress = new Map<string, Progress>()
  return {
    async begin() {
      const id = randomUUID()
      await inDirectory(path(id), async () => (await open(path(id), 'wx')).close())
      progress.set(id, { hash: createHash('sha256'), size: 0 })
      return id
    },
    size: async (id) => (await orMissing(stat(path(id))))?.size,
    append: (id, chunks, signal) => append(path(id), chunks, signal, progress.get(id)),
    async finish(id, digest) {
      const known = progress.get(id)
      progress.delete(id)
      if ((await hexOf(path(id), digest, known)) !== parseDigest(digest)?.hex) {
        await rm(path(id), { force: true })
        return false
      }
      await moveInto(path(id), content.path(digest))
      return true
    },
    async cancel(id) {
      progress.delete(id)
      await rm(path(id), { force: true })
    },
    purge: (olderThanMs) => purge(folder, olderThanMs),
  }
}

async function append(
  path: string,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  progress: Progress | undefined,
): Promise<number> {
  const file = await open(path, 'a')
  try {
    await writeAll(file, content, signal, (chunk) => {
      progress?.hash.update(chunk)
      if (progress) progress.size += chunk.byteLength
    })
    return (await file.stat()).size
  } finally {
    await file.close()
  }
}

/** Reads the file again when another process wrote a part of it, or for another algorithm. */
async function hexOf(path: string, digest: Digest, progress: Progress | undefined): Promise<string> {
  const algorithm = parseDigest(digest)?.algorithm ?? 'sha256'
  const { size } = await stat(path)
  if (algorithm === 'sha256' && progress?.size === size) return progress.hash.digest('hex')
  const hash = createHash(algorithm)
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex')
}

async function moveInto(from: string, to: string): Promise<void> {
  const file = await open(from, 'r+')
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
  await inDirectory(to, () => rename(from, to))
}

async function purge(folder: string, olderThanMs: number): Promise<void> {
  const before = Date.now() - olderThanMs
  for (const name of (await orMissing(readdir(folder))) ?? []) {
    const found = await orMissing(stat(join(folder, name)))
    if (found && found.mtimeMs < before) await rm(join(folder, name), { force: true })
  }
}

import { createHash } from 'node:crypto'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BlobUpload, Descriptor, Digest } from '../contracts/v1/image.js'
import { mismatch } from './digest.js'
import { isLeftoverPart, openPart, type Part, syncDirectory } from './durable.js'

export interface BlobWriter {
  /** Writes a blob, unless it is there. It has its name when its bytes are on the disk. */
  write(upload: BlobUpload, signal: AbortSignal): Promise<Descriptor>
  /** Resolves when the names of all blobs written so far are on the disk as well: once for an image, not for each blob. */
  keepNames(): Promise<void>
}

export function blobWriter(directory: string, path: (digest: Digest) => string): BlobWriter {
  const blobs = join(directory, 'blobs')
  const folder = join(blobs, 'sha256')
  let made: Promise<readonly string[]> | undefined
  const make = () => {
    made ??= makeFolders(blobs, folder)
    made.catch(() => {
      made = undefined
    })
    return made
  }
  return {
    async write(upload, signal) {
      const { expected, mediaType } = upload
      if (expected && (await stat(path(expected.digest)).catch(() => undefined))?.size === expected.size) {
        return { mediaType, ...expected }
      }
      signal.throwIfAborted()
      await make()
      await using part = await openPart(blobs, async () => void (await mkdir(folder, { recursive: true })))
      const written = await writeAll(part, upload, signal)
      await part.rename(path(written.digest))
      return { mediaType, ...written }
    },
    async keepNames() {
      await Promise.all([folder, ...(await make())].map(syncDirectory))
      made = Promise.resolve([])
    },
  }
}

/** Makes the folders, and takes away what killed processes left in them. Resolves to those whose own names are not on the disk yet. */
async function makeFolders(blobs: string, folder: string): Promise<readonly string[]> {
  const first = await mkdir(folder, { recursive: true })
  const names = await readdir(blobs)
  await Promise.all(names.filter(isLeftoverPart).map((name) => rm(join(blobs, name), { force: true })))
  const fresh: string[] = []
  if (first !== undefined) for (let at = folder; at.length >= first.length; at = dirname(at)) fresh.push(dirname(at))
  return fresh
}

/** One pass, one hash. Ends as soon as there is more than expected. */
async function writeAll(
  part: Part,
  { expected, open }: BlobUpload,
  signal: AbortSignal,
): Promise<{ digest: Digest; size: number }> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of open(0)) {
    signal.throwIfAborted()
    hash.update(chunk)
    size += chunk.byteLength
    if (expected && size > expected.size) throw mismatch(expected, `more than ${expected.size} bytes`)
    await part.write(chunk)
  }
  const digest = `sha256:${hash.digest('hex')}`
  if (expected && (digest !== expected.digest || size !== expected.size)) {
    throw mismatch(expected, `${digest} in ${size} bytes`)
  }
  return { digest, size }
}

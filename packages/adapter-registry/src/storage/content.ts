import { createHash } from 'node:crypto'
import { createReadStream, type ReadStream } from 'node:fs'
import { type FileHandle, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Digest, verified } from '@kiwi/core'
import { keepFile, orMissing, syncDirectory, writeAtomically, writePart } from './files.js'

/** Bytes by digest, in `blobs/<algorithm>/<hex>` as in an OCI image layout: whole or not there at all. */
export interface Content {
  path(digest: Digest): string
  /** Bytes; `undefined` when it is not there. */
  size(digest: Digest): Promise<number | undefined>
  /** As `size`, for somebody who counts on it from now on: a garbage collection leaves it alone for its grace period. */
  keep(digest: Digest): Promise<number | undefined>
  /** From byte `start` to byte `end`, both included. */
  read(digest: Digest, options?: ReadOptions): ReadStream
  /** Stores a stream. Rejects with `DIGEST_MISMATCH` when it is not what was expected. */
  write(
    content: AsyncIterable<Uint8Array>,
    options: { readonly expected?: Stored | undefined; readonly signal: AbortSignal },
  ): Promise<Stored>
  readBytes(digest: Digest, signal?: AbortSignal): Promise<Buffer>
  /** Stores bytes whose digest the caller has computed. */
  writeBytes(bytes: Uint8Array, digest: Digest): Promise<void>
  /** Makes the names of everything stored so far durable; the bytes are already. */
  sync(): Promise<void>
}

export interface ReadOptions {
  readonly start?: number | undefined
  readonly end?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Stored {
  readonly digest: Digest
  readonly size: number
}

const readBytes = 512 * 1024

export function openContent(directory: string): Content {
  const blobs = join(directory, 'blobs')
  const path = (digest: Digest) => join(blobs, ...digest.split(':'))
  return {
    path,
    size: async (digest) => (await orMissing(stat(path(digest))))?.size,
    keep: (digest) => keepFile(path(digest)),
    read: (digest, { start, end, signal } = {}) =>
      createReadStream(path(digest), {
        highWaterMark: readBytes,
        ...(start !== undefined && { start }),
        ...(end !== undefined && { end }),
        ...(signal && { signal }),
      }),
    write: (content, options) => writeContent(path, content, options),
    readBytes: (digest, signal) => readFile(path(digest), { signal }),
    writeBytes: (bytes, digest) => writeAtomically(path(digest), bytes),
    sync: () => syncDirectory(join(blobs, 'sha256')),
  }
}

async function writeContent(
  path: (digest: Digest) => string,
  content: AsyncIterable<Uint8Array>,
  options: { readonly expected?: Stored | undefined; readonly signal: AbortSignal },
): Promise<Stored> {
  const { expected, signal } = options
  const hash = createHash('sha256')
  let size = 0
  let digest = expected?.digest ?? ''
  await writePart(path('sha256:new'), async (file) => {
    // expected content is hashed by `verified`
    const checked = expected ? verified(content, expected) : content
    size = await writeAll(file, checked, signal, (chunk) => void (expected ?? hash.update(chunk)))
    digest = expected?.digest ?? `sha256:${hash.digest('hex')}`
    return path(digest)
  })
  return { digest, size }
}

/**
 * Writes a stream at the file's position and returns its length. Each chunk is shown to `see`, which may hash it, while those before are being
 * written. What arrived before the stream broke is written.
 */
export async function writeAll(
  file: FileHandle,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  see: (chunk: Uint8Array) => void,
): Promise<number> {
  let size = 0
  let batch: Uint8Array[] = []
  let batchBytes = 0
  let writing: Promise<void> | undefined
  let failure: { readonly cause: unknown } | undefined
  const writeBatches = async () => {
    while (batch.length > 0) {
      const taken = batch
      batch = []
      batchBytes = 0
      await writeWhole(file, taken)
    }
  }
  const settle = async () => {
    await writing
    if (failure) throw failure.cause
    await writeBatches() // what came when the writer was just ending
  }
  try {
    for await (const chunk of content) {
      signal.throwIfAborted()
      see(chunk)
      batch.push(chunk)
      batchBytes += chunk.byteLength
      size += chunk.byteLength
      writing ??= writeBatches()
        .catch((cause: unknown) => {
          failure = { cause }
        })
        .finally(() => {
          writing = undefined
        })
      if (failure || batchBytes >= writeBytes) await settle()
    }
  } finally {
    await settle()
  }
  return size
}

/** As much as waits for the disk at a time. */
const writeBytes = 512 * 1024

/** One write may be cut short by the system, for instance where the disk fills up. */
async function writeWhole(file: FileHandle, batch: readonly Uint8Array[]): Promise<void> {
  let { bytesWritten: written } = await file.writev(batch)
  for (const chunk of batch) {
    for (let at = Math.min(written, chunk.byteLength); at < chunk.byteLength; ) {
      at += (await file.write(chunk, at)).bytesWritten
    }
    written = Math.max(0, written - chunk.byteLength)
  }
}

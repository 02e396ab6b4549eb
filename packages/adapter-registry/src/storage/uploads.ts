import { createHash, type Hash, randomUUID } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { addAbortSignal, Readable } from 'node:stream'
import type { Digest } from '@kiwi/core'
import { type DigestParts, parseDigest } from '../names.js'
import { type Content, writeAll } from './content.js'
import { inDirectory, orMissing, writePart } from './files.js'

/** Blobs on their way in over HTTP, one file each: any process that serves the folder can go on with one, also after a restart. */
export interface Uploads {
  /** The algorithm is that of the digest it will end with, as far as one knows. */
  begin(algorithm?: Algorithm): Promise<string>
  /** Bytes so far; `undefined` for an unknown id. */
  size(id: string): Promise<number | undefined>
  /** What arrived before an interruption is kept. A request that is still appending to the same upload is ended: its client is the same one. */
  append(id: string, content: AsyncIterable<Uint8Array>, options: AppendOptions): Promise<Appended>
  /** Moves the upload into the content if its digest is that one; `false` (and the upload is gone) if not. */
  finish(id: string, digest: Digest): Promise<boolean>
  cancel(id: string): Promise<void>
  /** Removes uploads that nobody touched for that long. */
  purge(olderThanMs: number): Promise<void>
}

export interface AppendOptions {
  /** Where the client believes to be. Default: wherever the upload is. */
  readonly at?: number | undefined
  /** Of the whole upload. */
  readonly limitBytes: number
  readonly signal: AbortSignal
}

/** `too-large` is gone, `elsewhere` is at another offset than the client believes. */
export interface Appended {
  readonly state: 'appended' | 'elsewhere' | 'too-large' | 'unknown'
  readonly size: number
}

type Algorithm = DigestParts['algorithm']

/** What this process hashed of an upload so far, so that the end needs no second reading. */
interface Progress {
  readonly algorithm: Algorithm
  readonly hash: Hash
  size: number
}

export function openUploads(directory: string, content: Content): Uploads {
  const folder = join(directory, 'uploads')
  const path = (id: string) => join(folder, id)
  const progress = new Map<string, Progress>()
  const alone = takeTurns()
  const forget = async (id: string) => {
    progress.delete(id)
    await rm(path(id), { force: true })
  }
  return {
    async begin(algorithm = 'sha256') {
      const id = randomUUID()
      await inDirectory(path(id), async () => (await open(path(id), 'wx')).close())
      progress.set(id, { algorithm, hash: createHash(algorithm), size: 0 })
      return id
    },
    size: async (id) => (await orMissing(stat(path(id))))?.size,
    append: (id, chunks, options) =>
      alone(id, options.signal, async (signal) => {
        try {
          const appended = await append(path(id), chunks, { ...options, signal }, progress.get(id))
          if (appended?.state === 'too-large') await forget(id)
          return appended ?? { state: 'unknown', size: 0 }
        } catch (error) {
          progress.delete(id) // the file may have less than was hashed
          throw error
        }
      }),
    finish: (id, digest) =>
      alone(id, new AbortController().signal, async () => {
        const known = progress.get(id)
        const { size } = await stat(path(id))
        const isOurs = known?.size === size && known.algorithm === parseDigest(digest)?.algorithm
        const isRight = isOurs
          ? `${known.algorithm}:${known.hash.digest('hex')}` === digest &&
            (await moveInto(path(id), content.path(digest)))
          : await copyInto(path(id), content.path(digest), digest)
        await forget(id)
        return isRight
      }),
    cancel: forget,
    async purge(olderThanMs) {
      await purge(folder, olderThanMs)
      for (const id of progress.keys()) if (!(await orMissing(stat(path(id))))) progress.delete(id)
    },
  }
}

/** One at a time for each id. The newest ends the one before, which may hang on a connection that nobody uses any more. */
function takeTurns() {
  const running = new Map<string, { readonly stop: AbortController; readonly ended: Promise<unknown> }>()
  return async <T>(id: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    for (let other = running.get(id); other; other = running.get(id)) {
      other.stop.abort(new Error('another request goes on with this upload'))
      await other.ended
    }
    const stop = new AbortController()
    const working = work(AbortSignal.any([signal, stop.signal]))
    const ended = working.then(
      () => running.delete(id),
      () => running.delete(id),
    )
    running.set(id, { stop, ended })
    return working
  }
}

async function append(
  path: string,
  content: AsyncIterable<Uint8Array>,
  { at, limitBytes, signal }: AppendOptions,
  progress: Progress | undefined,
): Promise<Appended | undefined> {
  const file = await orMissing(open(path, constants.O_WRONLY | constants.O_APPEND))
  if (!file) return undefined
  try {
    let { size } = await file.stat()
    if (at !== undefined && at !== size) return { state: 'elsewhere', size }
    if (content instanceof Readable) addAbortSignal(signal, content)
    await writeAll(file, content, signal, (chunk) => {
      size += chunk.byteLength
      if (size > limitBytes) throw new TooLarge()
      progress?.hash.update(chunk)
      if (progress) progress.size += chunk.byteLength
    })
    return { state: 'appended', size }
  } catch (error) {
    if (error instanceof TooLarge) return { state: 'too-large', size: limitBytes }
    throw error
  } finally {
    await file.close()
  }
}

class TooLarge extends Error {}

async function moveInto(from: string, to: string): Promise<true> {
  const file = await open(from, 'r+')
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
  await inDirectory(to, () => rename(from, to))
  return true
}

/** For bytes that another process wrote: it may still hold the file, and must not hold a blob. */
async function copyInto(from: string, to: string, digest: Digest): Promise<boolean> {
  const { algorithm = 'sha256', hex } = parseDigest(digest) ?? {}
  const hash = createHash(algorithm)
  const different = new Error('the bytes are not those of the digest')
  try {
    await writePart(to, async (file) => {
      const chunks = createReadStream(from, { highWaterMark: 512 * 1024 })
      await writeAll(file, chunks, new AbortController().signal, (chunk) => void hash.update(chunk))
      if (hash.digest('hex') !== hex) throw different
      return to
    })
    return true
  } catch (error) {
    if (error === different) return false
    throw error
  }
}

async function purge(folder: string, olderThanMs: number): Promise<void> {
  const before = Date.now() - olderThanMs
  for (const name of (await orMissing(readdir(folder))) ?? []) {
    const found = await orMissing(stat(join(folder, name)))
    if (found && found.mtimeMs < before) await rm(join(folder, name), { force: true })
  }
}

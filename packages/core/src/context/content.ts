import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { unreadable, type WalkedFile } from './walk.js'
import { invalid } from './within.js'

/**
 * The bytes of an entry, exactly as many as it was listed with. A file is the one that was listed, and no other one that took its place
 * since; it is not followed through a link, and is refused with `CONTEXT_INVALID` when it changes while it is read.
 */
export function contentOf({ path, content }: WalkedFile): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (content === undefined) return []
  if (content instanceof Uint8Array) return [content]
  const { file, status } = content
  return status.size <= smallBytes ? readSmall(file, status, path) : readLarge(file, status, path)
}

/** Asking the thread pool five times for a small file takes ten times as long as reading it. */
const smallBytes = 64 * 1024
const readAtOnceBytes = 1024 * 1024
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

function readSmall(file: string, listed: BigIntStats, path: string): Uint8Array[] {
  const handle = readably(path, () => openSync(file, flags))
  try {
    mustBeSame(fstatSync(handle, { bigint: true }), listed, path)
    // One more than there should be: a file that has grown shows it.
    const buffer = Buffer.allocUnsafeSlow(Number(listed.size) + 1)
    let length = 0
    for (let read = -1; read !== 0 && length < buffer.byteLength; length += read) {
      read = readably(path, () => readSync(handle, buffer, length, buffer.byteLength - length, null))
    }
    if (length !== Number(listed.size)) throw changed(path)
    mustBeSame(fstatSync(handle, { bigint: true }), listed, path)
    return length === 0 ? [] : [buffer.subarray(0, length)]
  } finally {
    closeSync(handle)
  }
}

async function* readLarge(file: string, listed: BigIntStats, path: string): AsyncGenerator<Uint8Array> {
  const refuse = (cause: unknown) => {
    throw unreadable(path, cause)
  }
  const handle = await open(file, flags).catch(refuse)
  try {
    mustBeSame(await handle.stat({ bigint: true }), listed, path)
    for (let left = Number(listed.size); left > 0; ) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(left, readAtOnceBytes))
      const { bytesRead } = await handle.read(buffer).catch(refuse)
      if (bytesRead === 0) throw changed(path)
      left -= bytesRead
      yield buffer.subarray(0, bytesRead)
    }
    mustBeSame(await handle.stat({ bigint: true }), listed, path)
  } finally {
    await handle.close()
  }
}

function readably<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function mustBeSame(now: BigIntStats, listed: BigIntStats, path: string): void {
  const isSame =
    now.isFile() &&
    now.dev === listed.dev &&
    now.ino === listed.ino &&
    now.size === listed.size &&
    now.mtimeNs === listed.mtimeNs
  if (!isSame) throw changed(path)
}

function changed(path: string): Error {
  return invalid(`${path} changed while it was being read`, path)
}

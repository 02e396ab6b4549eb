import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

const maxBytes = 8 * 1024 * 1024
const tailBytes = 16 * 1024
const tailLines = 60

/** An instance's output on the disk: at most twice `maxBytes`, the older half in `FILE.1`. */
export interface LogFile extends Disposable {
  write(bytes: Uint8Array): void
}

export function openLog(file: string, limitBytes: number = maxBytes): LogFile {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  let handle = openSync(file, 'a', 0o600)
  let size = fstatSync(handle).size
  let closed = false
  return {
    write(bytes) {
      if (closed) return
      if (size >= limitBytes) {
        closeSync(handle)
        renameSync(file, `${file}.1`)
        handle = openSync(file, 'a', 0o600)
        size = 0
      }
      try {
        size += writeSync(handle, bytes)
      } catch {
        // A full disk must not take the application down; its output is lost until there is room.
      }
    },
    [Symbol.dispose]() {
      if (!closed) closeSync(handle)
      closed = true
    },
  }
}

/** The last lines that an instance wrote, also by an earlier supervisor. */
export function readTail(file: string): string[] {
  const recent = readEnd(file)
  const text = recent.length < tailBytes / 2 ? readEnd(`${file}.1`) + recent : recent
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.slice(-tailLines)
}

function readEnd(file: string): string {
  let handle: number | undefined
  try {
    handle = openSync(file, 'r')
    const { size } = fstatSync(handle)
    const buffer = Buffer.alloc(Math.min(size, tailBytes))
    const read = readSync(handle, buffer, 0, buffer.length, size - buffer.length)
    return buffer.toString('utf8', 0, read)
  } catch {
    return ''
  } finally {
    if (handle !== undefined) closeSync(handle)
  }
}

import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { decodeLog, encodeOutput, type OutputStream } from './log-lines.js'

const maxBytes = 8 * 1024 * 1024
const tailBytes = 16 * 1024
const tailLines = 60
const keptLogs = 40
const newline = 0x0a
const lineEnd = Buffer.from([newline])

/** An instance's output on the disk (`log-lines.ts`): at most twice `maxBytes`, the older half in `FILE.1`. */
export interface LogFile extends Disposable {
  write(bytes: Uint8Array, stream: OutputStream): void
  /** Nothing more comes for the lines that have begun: who wrote them has ended. */
  endLines(): void
}

export function openLog(file: string, limitBytes: number = maxBytes): LogFile {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  let handle = openSync(file, 'a', 0o600)
  let size = fstatSync(handle).size
  let closed = false
  const begun = new Set<OutputStream>()
  const append = (bytes: Uint8Array) => {
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
  }
  return {
    write(bytes, stream) {
      if (bytes.byteLength === 0) return
      append(encodeOutput(bytes, stream, Date.now()))
      if (bytes.at(-1) === newline) begun.delete(stream)
      else begun.add(stream)
    },
    endLines() {
      for (const stream of begun) append(encodeOutput(lineEnd, stream, Date.now()))
      begun.clear()
    },
    [Symbol.dispose]() {
      if (!closed) closeSync(handle)
      closed = true
    },
  }
}

/** The names of a slot's logs, also of instances that an earlier supervisor had. */
export function logsOf(directory: string, slot: string): string[] {
  const names = listLogs(directory).map(({ name }) => name)
  return names.filter((name) => name.startsWith(`${slot}-`) && /^\d+\.log$/.test(name.slice(slot.length + 1))).sort()
}

/** Removes the oldest logs: slots come and go, and someone may still want to read those of the last ones. */
export function pruneLogs(directory: string): void {
  const newestFirst = listLogs(directory).sort((one, other) => other.changedMs - one.changedMs)
  for (const { name } of newestFirst.slice(keptLogs)) rmSync(join(directory, name), { force: true })
}

function listLogs(directory: string): { readonly name: string; readonly changedMs: number }[] {
  const names = existsSync(directory) ? readdirSync(directory) : []
  return names.map((name) => ({ name, changedMs: statSync(join(directory, name)).mtimeMs }))
}

/** The last lines that an instance wrote, also by an earlier supervisor. */
export function readTail(file: string): string[] {
  const recent = readEnd(file)
  const all = recent.byteLength < tailBytes / 2 ? Buffer.concat([readEnd(`${file}.1`), recent]) : recent
  const decoder = decodeLog()
  const lines = [...decoder.push(all), ...decoder.flush()]
  return lines.slice(-tailLines).map(({ text }) => text)
}

/** Whole records only. */
function readEnd(file: string): Buffer {
  let handle: number | undefined
  try {
    handle = openSync(file, 'r')
    const { size } = fstatSync(handle)
    const buffer = Buffer.alloc(Math.min(size, tailBytes))
    const read = readSync(handle, buffer, 0, buffer.length, size - buffer.length)
    const whole = buffer.subarray(0, read)
    const cut = size > tailBytes ? whole.indexOf(newline) + 1 : 0
    return cut < whole.byteLength ? whole.subarray(cut) : whole
  } catch {
    return Buffer.alloc(0)
  } finally {
    if (handle !== undefined) closeSync(handle)
  }
}

import { type FileHandle, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { InstanceLog, Runtime } from '@kiwi/core'
import { logsOf } from '../supervisor/log-file.js'
import { decodeLog, type LogLine } from '../supervisor/log-lines.js'
import { fileName } from './place.js'

const pollMs = 150
const chunkBytes = 64 * 1024

type LogOptions = Parameters<NonNullable<Runtime['logs']>>[2]

/**
 * What the instances of a slot have printed, by time, read from the supervisor's files: it works while none runs, and costs the requests that
 * pass through one nothing. Ends quietly when the signal fires.
 */
export async function* logs(
  directory: string,
  slot: string,
  { since = 0, follow }: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<InstanceLog> {
  const tails = new Map<string, Tail>()
  try {
    while (!signal.aborted) {
      for (const name of logsOf(directory, fileName('slot', slot)))
        if (!tails.has(name)) tails.set(name, await Tail.open(join(directory, name), name.replace(/\.log$/, '')))
      for await (const line of merged([...tails.values()], { atOnce: !follow }))
        if (signal.aborted) return
        else if ((line.at ?? since) >= since) yield line
      if (!follow) return
      await sleep(pollMs, undefined, { signal }).catch(() => {})
    }
  } finally {
    for (const tail of tails.values()) await tail.close()
  }
}

/** All lines that are there, the oldest first; `atOnce`: those that have only begun, too. */
async function* merged(tails: readonly Tail[], { atOnce }: { readonly atOnce: boolean }): AsyncGenerator<InstanceLog> {
  for (const tail of tails) tail.lookAgain()
  for (;;) {
    for (const tail of tails) await tail.fill({ atOnce })
    const [first] = tails.filter(({ next }) => next !== undefined).sort((one, other) => timeOf(one) - timeOf(other))
    const line = first?.take()
    if (first === undefined || line === undefined) return
    yield { instance: first.instance, ...line }
  }
}

function timeOf({ next }: Tail): number {
  return next?.at ?? 0
}

/** Reads one instance's log, over its rotations. */
class Tail {
  readonly instance: string
  readonly #file: string
  readonly #decoder = decodeLog()
  #handles: FileHandle[]
  #position = 0
  #lines: LogLine[] = []
  #atEnd = false

  static async open(file: string, instance: string): Promise<Tail> {
    const newer = await openOrNothing(file)
    const older = await openOrNothing(`${file}.1`)
    const rotatedBetween = newer && older && (await newer.stat()).ino === (await older.stat()).ino
    if (rotatedBetween) await older.close()
    return new Tail(file, instance, rotatedBetween ? [newer] : [older, newer])
  }

  private constructor(file: string, instance: string, handles: readonly (FileHandle | undefined)[]) {
    this.#file = file
    this.instance = instance
    this.#handles = handles.filter((handle) => handle !== undefined)
  }

  get next(): LogLine | undefined {
    return this.#lines[0]
  }

  take(): LogLine | undefined {
    return this.#lines.shift()
  }

  lookAgain(): void {
    this.#atEnd = false
  }

  /** Reads on until there is a line, or no more to be read for now. */
  async fill({ atOnce }: { readonly atOnce: boolean }): Promise<void> {
    while (this.#lines.length === 0 && !this.#atEnd) {
      const bytes = await this.#read()
      if (bytes.byteLength > 0) this.#lines = this.#decoder.push(bytes)
      else if (!(await this.#advance())) {
        this.#atEnd = true
        if (atOnce) this.#lines = this.#decoder.flush()
      }
    }
  }

  async close(): Promise<void> {
    for (const handle of this.#handles.splice(0)) await handle.close()
  }

  async #read(): Promise<Uint8Array> {
    const [handle] = this.#handles
    if (handle === undefined) return new Uint8Array()
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(chunkBytes), 0, chunkBytes, this.#position)
    this.#position += bytesRead
    return buffer.subarray(0, bytesRead)
  }

  /** Goes on with the next file, when there is one. The one before is looked at once more: it may have grown until its rotation. */
  async #advance(): Promise<boolean> {
    const [current, next] = this.#handles
    if (current !== undefined && next !== undefined) {
      this.#handles = [next]
      this.#position = 0
      await current.close()
      return true
    }
    const inode = await stat(this.#file).then(
      ({ ino }) => ino,
      () => undefined,
    )
    if (inode === undefined || (current !== undefined && (await current.stat()).ino === inode)) return false
    const opened = await openOrNothing(this.#file)
    if (opened !== undefined) this.#handles.push(opened)
    return opened !== undefined
  }
}

function openOrNothing(file: string): Promise<FileHandle | undefined> {
  return open(file).catch(() => undefined)
}

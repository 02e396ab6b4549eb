/** One line of a log, without its end. */
export interface LogLine {
  readonly stream: OutputStream
  /** Milliseconds since 1970, of its beginning; lacks in logs that are not ours. */
  readonly at?: number | undefined
  readonly text: string
}

export type OutputStream = 'out' | 'err'

/** A line without an end is cut after so many bytes. */
const longestLineBytes = 64 * 1024
const newline = 0x0a
const goesOn = '+'
const ends = '.'

/**
 * How output lies in a log: records of a line each, `TIME STREAM text`, where STREAM is `o` or `e` and then `.`, or `+` when the line goes on
 * in the next record of that stream. So everything is on the disk at once, and no line is torn by a line of the other stream.
 */
export function encodeOutput(bytes: Uint8Array, stream: OutputStream, at: number): Buffer {
  const head = (end: string) => Buffer.from(`${at} ${stream === 'out' ? 'o' : 'e'}${end} `)
  const parts: Uint8Array[] = []
  let start = 0
  while (start < bytes.byteLength) {
    const found = bytes.indexOf(newline, start)
    const end = found === -1 ? bytes.byteLength : found
    parts.push(head(found === -1 ? goesOn : ends), bytes.subarray(start, end), lineEnd)
    start = end + 1
  }
  return Buffer.concat(parts)
}

const lineEnd = Buffer.from([newline])

export interface LogDecoder {
  /** The lines that are whole by now. */
  push(bytes: Uint8Array): LogLine[]
  /** What has begun and not ended. */
  flush(): LogLine[]
}

export function decodeLog(): LogDecoder {
  let rest: Buffer = Buffer.alloc(0)
  const open = new Map<OutputStream, Begun>()
  return {
    push(bytes) {
      const all = rest.byteLength === 0 ? Buffer.from(bytes) : Buffer.concat([rest, bytes])
      const end = all.lastIndexOf(newline) + 1
      rest = all.subarray(end)
      return [...records(all.subarray(0, end))].flatMap((record) => take(record, open))
    },
    flush() {
      const lines = [...open].map(([stream, begun]) => finish(stream, begun))
      open.clear()
      return lines
    },
  }
}

interface Begun {
  readonly at: number | undefined
  readonly parts: Buffer[]
  bytes: number
}

/** `whole` ends with a line's end, or is empty. */
function* records(whole: Buffer): Generator<Buffer> {
  let start = 0
  while (start < whole.byteLength) {
    const end = whole.indexOf(newline, start)
    yield whole.subarray(start, end)
    start = end + 1
  }
}

function take(record: Buffer, open: Map<OutputStream, Begun>): LogLine[] {
  const head = /^(\d{1,16}) ([oe])([.+]) /.exec(record.toString('latin1', 0, 24))
  if (head === null) return [{ stream: 'out', text: record.toString() }]
  const stream = head[2] === 'o' ? 'out' : 'err'
  const text = record.subarray(head[0].length)
  const begun = open.get(stream) ?? { at: Number(head[1]), parts: [], bytes: 0 }
  begun.parts.push(text)
  begun.bytes += text.byteLength
  if (head[3] === goesOn && begun.bytes < longestLineBytes) {
    open.set(stream, begun)
    return []
  }
  open.delete(stream)
  return [finish(stream, begun)]
}

function finish(stream: OutputStream, { at, parts }: Begun): LogLine {
  return { stream, at, text: Buffer.concat(parts).toString().replace(/\r$/, '') }
}

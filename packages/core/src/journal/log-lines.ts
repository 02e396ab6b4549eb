import type { Redactor, RedactorStream } from '../secrets/redactor.js'

export interface LogLine {
  readonly stream: 'out' | 'err'
  readonly step?: string | undefined
  readonly text: string
  readonly truncated?: boolean | undefined
}

export interface LogLines {
  add(bytes: Uint8Array, at: { readonly step?: string | undefined; readonly stream: 'out' | 'err' }): void
  /** Gives out what is left without a line end. */
  end(): void
}

/** A longer line is cut, and says so. */
const longestLine = 16 * 1024

interface Open {
  readonly redacted: RedactorStream
  readonly step: string | undefined
  readonly stream: 'out' | 'err'
  rest: string
}

/** Cuts raw output into lines, per step and stream, after the secrets are out of it: one may be split over chunks, or lines. */
export function logLines(redactor: Redactor, emit: (line: LogLine) => void): LogLines {
  const open = new Map<string, Open>()
  const take = (from: Open, text: string): void => {
    const lines = (from.rest + text).split(/\r\n|\n|\r(?!$)/) // a \r at the end may be half of a \r\n
    from.rest = lines.pop() ?? ''
    for (const line of lines) emit(toLine(line, from))
    if (from.rest.length <= longestLine) return
    emit(toLine(from.rest, from))
    from.rest = ''
  }
  return {
    add(bytes, { step, stream }) {
      const key = `${stream} ${step ?? ''}`
      const from = open.get(key) ?? { redacted: redactor.lines(), step, stream, rest: '' }
      open.set(key, from)
      take(from, from.redacted.push(bytes))
    },
    end() {
      for (const from of open.values()) {
        take(from, from.redacted.end())
        const rest = from.rest.replace(/\r$/, '')
        if (rest !== '') emit(toLine(rest, from))
      }
      open.clear()
    },
  }
}

function toLine(line: string, { step, stream }: Open): LogLine {
  const truncated = line.length > longestLine
  return {
    stream,
    ...(step !== undefined && { step }),
    text: truncated ? line.slice(0, longestLine) : line,
    ...(truncated && { truncated }),
  }
}

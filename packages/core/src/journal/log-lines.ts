import type { Redactor } from '../secrets/redactor.js'

export interface LogLine {
  readonly stream: 'out' | 'err'
  readonly step?: string | undefined
  readonly text: string
  readonly truncated?: boolean | undefined
}

/** A longer line is cut, and says so. */
const longestLine = 16 * 1024

/**
 * Cuts raw output into whole lines per step and stream. A line goes out whole, so a secret inside one is seen whole; what a step leaves
 * without a line end goes out with the next thing that step or another says.
 */
export function logLines(redactor: Redactor, emit: (line: LogLine) => void) {
  const open = new Map<string, { readonly decoder: InstanceType<typeof TextDecoder>; readonly rest: string }>()
  return {
    add(bytes: Uint8Array, { step, stream }: { readonly step?: string; readonly stream: 'out' | 'err' }): void {
      const key = `${stream} ${step ?? ''}`
      const state = open.get(key) ?? { decoder: new TextDecoder(), rest: '' }
      const lines = (state.rest + state.decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r/)
      const rest = lines.pop() ?? ''
      const whole = rest.length > longestLine ? [...lines, rest] : lines
      open.set(key, { decoder: state.decoder, rest: rest.length > longestLine ? '' : rest })
      for (const line of whole) emit(cut(redactor.text(line), step, stream))
    },
  }
}

function cut(text: string, step: string | undefined, stream: 'out' | 'err'): LogLine {
  const truncated = text.length > longestLine
  return {
    stream,
    ...(step !== undefined && { step }),
    text: truncated ? text.slice(0, longestLine) : text,
    ...(truncated && { truncated }),
  }
}

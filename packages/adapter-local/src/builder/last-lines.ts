import { StringDecoder } from 'node:string_decoder'
import type { OnOutput } from '../isolation/index.js'

/** Enough that an error is still there when others have gone on talking. */
const most = 400
const longest = 2000

/** Passes output on and remembers its last lines, of both streams in the order they came. */
export function lastLines(onOutput: OnOutput): { readonly write: OnOutput; lines(): string[] } {
  const decoders = { out: new StringDecoder(), err: new StringDecoder() }
  const open = { out: '', err: '' }
  const whole: string[] = []
  return {
    async write(bytes, stream) {
      const pieces = (open[stream] + decoders[stream].write(Buffer.from(bytes))).split(/\r?\n/)
      open[stream] = (pieces.pop() ?? '').slice(-longest)
      whole.push(...pieces.map((line) => line.slice(0, longest)))
      whole.splice(0, Math.max(0, whole.length - most))
      await onOutput(bytes, stream)
    },
    lines: () => [...whole, open.out, open.err].filter((line) => line.trim() !== '').slice(-most),
  }
}

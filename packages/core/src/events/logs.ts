import type { Store } from '../contracts/v1/store.js'
import type { Stage } from './event.js'

export interface LogSearch {
  /** Text that a line contains, letters of either case, or a pattern. */
  readonly match?: string | RegExp | undefined
  readonly stage?: Stage | undefined
  /** At most so many lines. Default 1,000. */
  readonly limit?: number | undefined
}

/** One line of a run's output. */
export interface LogMatch {
  readonly seq: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly stage?: Stage | undefined
  readonly step?: string | undefined
  readonly stream: 'out' | 'err'
  readonly text: string
  /** It tells of an error or a failure. */
  readonly failure: boolean
}

/** The guide's advice, "search for error or failed", as a pattern that does not take `0 errors` for one. */
const failing =
  /\b(?:error|failed|failure|fatal|exception|panic|cannot|denied|not found)\b|\bERR!|(?<!\b(?:no|0) )\berrors\b/i
const batch = 5_000

/** Lines of a run, oldest first; with `match`, those that tell of a failure before the others. */
export async function logs(store: Store, runId: string, options: LogSearch): Promise<LogMatch[]> {
  const { match, stage, limit = 1_000 } = options
  const matches = matcher(match)
  const found: LogMatch[] = []
  for (let after = 0; ; ) {
    const events = await store.read(runId, after, batch)
    for (const event of events) {
      if (event.type !== 'log' || (stage && event.stage !== stage) || !matches(event.text)) continue
      const { seq, at, step, stream, text } = event
      const failure = failing.test(text)
      found.push({ seq, at, stream, text, failure, ...(event.stage && { stage: event.stage }), ...(step && { step }) })
    }
    if (events.length < batch) break
    after = events.at(-1)?.seq ?? after
  }
  if (match === undefined) return found.slice(0, limit)
  return [...found.filter(({ failure }) => failure), ...found.filter(({ failure }) => !failure)].slice(0, limit)
}

function matcher(match: string | RegExp | undefined): (text: string) => boolean {
  if (match === undefined) return () => true
  if (typeof match === 'string') return (text) => text.toLowerCase().includes(match.toLowerCase())
  const { source, flags } = match
  const once = new RegExp(source, flags.replace(/[gy]/g, '')) // a global pattern remembers where it stood
  return (text) => once.test(text)
}

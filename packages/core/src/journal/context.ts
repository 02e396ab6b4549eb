import type { Context } from '../contracts/v1/context.js'
import type { Fact } from '../contracts/v1/facts.js'
import type { Lease } from '../contracts/v1/store.js'
import type { Stage } from '../events/event.js'
import type { EventWriter } from '../events/writer.js'
import type { Redactor } from '../secrets/redactor.js'
import { logLines } from './log-lines.js'

export interface ContextOptions {
  readonly lease: Lease
  readonly signal: AbortSignal
  readonly events: EventWriter
  readonly redactor: Redactor
  readonly secret: Context['secret']
}

/** A stage's context, to be ended with the stage: then output without a line end goes out, too. */
export interface StageContext extends Context {
  endOutput(): void
}

/** What the adapters of one stage get: facts become events, output becomes log lines. */
export function stageContext(stage: Stage, { lease, signal, events, redactor, secret }: ContextOptions): StageContext {
  const lines = logLines(redactor, (line) => events.emit({ type: 'log', ...line }, stage))
  return {
    signal,
    operation: { id: `${lease.runId}/${stage}`, fence: { scope: lease.scope, token: lease.token } },
    secret,
    endOutput: lines.end,
    report: (fact) => report(fact, stage, events),
    async output(bytes, at) {
      lines.add(bytes, at)
      await events.drained()
    },
  }
}

function report(fact: Fact, stage: Stage, events: EventWriter): void {
  if (fact.type !== 'blob') events.emit(fact, stage)
  else if (fact.state === 'transferring' || fact.state === 'retrying') {
    const { direction, digest, bytes, totalBytes } = fact
    events.progress({ type: 'progress', direction, digest, bytes, totalBytes }, stage)
  } else {
    const { direction, digest, state, bytes } = fact
    events.emit({ type: 'blob', direction, digest, state, bytes }, stage)
  }
}

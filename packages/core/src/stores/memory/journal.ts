import type { StepRecord } from '../../contracts/v1/store.js'
import type { EventBody, StoredEvent } from '../../events/event.js'
import type { Command } from '../../model/run.js'
import { type PackedEvent, parsed } from '../pack.js'
import type { JournalTables } from '../tables.js'
import type { MemoryRuns } from './runs.js'

interface Written extends PackedEvent {
  readonly runId: string
  readonly seq: number
  readonly cursor: number
}

interface Journal {
  readonly events: Written[]
  readonly steps: Map<string, string>
  readonly commands: string[]
}

export function memoryJournal(runs: MemoryRuns): JournalTables {
  const journals = new Map<string, Journal>() // by run
  let all: Written[] = [] // of all runs, in the order of their commits
  let cursor = 0

  const of = (runId: string): Journal => {
    const journal = journals.get(runId) ?? { events: [], steps: new Map(), commands: [] }
    journals.set(runId, journal)
    return journal
  }
  return {
    addEvents(runId, added) {
      const last = runs.advance(runId, added.length)
      const { events } = of(runId)
      for (const [index, event] of added.entries()) {
        cursor += 1
        const written = { ...event, runId, seq: last - added.length + 1 + index, cursor }
        events.push(written)
        all.push(written)
      }
      return last
    },
    read: (runId, after, limit) => (journals.get(runId)?.events ?? []).slice(after, after + limit).map(toEvent),
    feed(after, limit) {
      const from = firstAfter(all, after)
      return all.slice(from, from + limit).map((written) => ({ cursor: written.cursor, event: toEvent(written) }))
    },
    putStep: (runId, { name, record }) => void of(runId).steps.set(name, record),
    steps: (runId) => [...(journals.get(runId)?.steps.values() ?? [])].map((record) => parsed<StepRecord>(record)),
    addCommand: (runId, command) => void of(runId).commands.push(JSON.stringify(command)),
    commands: (runId) => (journals.get(runId)?.commands ?? []).map((command) => parsed<Command>(command)),
    forget(runId) {
      journals.delete(runId)
      all = all.filter((written) => written.runId !== runId)
    },
  }
}

/** Cursors grow, but not by one: those of forgotten runs are missing. */
function firstAfter(all: readonly Written[], after: number): number {
  let [low, high] = [0, all.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((all[middle]?.cursor ?? 0) > after) high = middle
    else low = middle + 1
  }
  return low
}

function toEvent({ runId, seq, at, stage, body }: Written): StoredEvent {
  return { v: 1, runId, seq, at, ...(stage && { stage }), ...parsed<EventBody>(body) }
}

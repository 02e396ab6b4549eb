import type { DatabaseSync } from 'node:sqlite'
import type { StepRecord } from '../../contracts/v1/store.js'
import type { EventBody, StoredEvent } from '../../events/event.js'
import { eventVersion, upcast, type WrittenEvent } from '../../events/upcast.js'
import type { Command } from '../../model/run.js'
import { parsed } from '../pack.js'
import type { JournalTables } from '../tables.js'
import type { Row } from './rows.js'

const ordinalOf = '(SELECT ordinal FROM runs WHERE run_id = ?)'

export function journalTables(database: DatabaseSync): JournalTables {
  const numbered = database.prepare('SELECT ordinal, last_seq FROM runs WHERE run_id = ?')
  const number = database.prepare('UPDATE runs SET last_seq = ? WHERE ordinal = ?') // with RETURNING it takes twice as long as both
  const insertEvent = database.prepare('INSERT INTO events (run, seq, at, v, stage, body) VALUES (?, ?, ?, ?, ?, ?)')
  const events = database.prepare(
    `SELECT seq, at, v, stage, body FROM events WHERE run = ${ordinalOf} AND seq > ? ORDER BY seq LIMIT ?`,
  )
  const feed = database.prepare(
    `SELECT events.ordinal, run_id, seq, at, v, stage, body FROM events JOIN runs ON runs.ordinal = run
     WHERE events.ordinal > ? ORDER BY events.ordinal LIMIT ?`,
  )
  const putStep = database.prepare(
    `INSERT INTO steps (run, name, record) VALUES (${ordinalOf}, ?, ?)
     ON CONFLICT (run, name) DO UPDATE SET record = excluded.record`,
  )
  const steps = database.prepare(`SELECT record FROM steps WHERE run = ${ordinalOf} ORDER BY ordinal`)
  const insertCommand = database.prepare(`INSERT INTO commands (run, at, command) VALUES (${ordinalOf}, ?, ?)`)
  const commands = database.prepare(`SELECT command FROM commands WHERE run = ${ordinalOf} ORDER BY ordinal`)
  const forget = ['steps', 'events', 'commands'].map((table) =>
    database.prepare(`DELETE FROM ${table} WHERE run = ${ordinalOf}`),
  )

  return {
    addEvents(runId, added) {
      const row = numbered.get(runId)
      const run = Number(row?.ordinal)
      let seq = Number(row?.last_seq)
      for (const { at, stage = null, body } of added) {
        seq += 1
        insertEvent.run(run, seq, at, eventVersion, stage, body)
      }
      if (added.length > 0) number.run(seq, run)
      return seq
    },
    read: (runId, after, limit) => events.all(runId, after, limit).map((row) => toEvent(runId, row)),
    feed: (after, limit) =>
      feed.all(after, limit).map((row) => ({ cursor: Number(row.ordinal), event: toEvent(String(row.run_id), row) })),
    putStep: (runId, { name, record }) => void putStep.run(runId, name, record),
    steps: (runId) => steps.all(runId).map((row) => parsed<StepRecord>(row.record)),
    addCommand: (runId, command, nowMs) => void insertCommand.run(runId, nowMs, JSON.stringify(command)),
    commands: (runId) => commands.all(runId).map((row) => parsed<Command>(row.command)),
    forget(runId) {
      for (const statement of forget) statement.run(runId)
    },
  }
}

function toEvent(runId: string, { seq, at, v, stage, body }: Row): StoredEvent {
  const event = { v, runId, seq, at, ...(stage !== null && { stage }), ...parsed<EventBody>(body) }
  return upcast(event as WrittenEvent) // the columns' types are those of `addEvents`
}

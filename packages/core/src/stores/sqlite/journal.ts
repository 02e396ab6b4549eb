import type { DatabaseSync } from 'node:sqlite'
import type { StepRecord } from '../../contracts/v1/store.js'
import type { EventBody, Stage, StoredEvent } from '../../events/event.js'
import type { Command } from '../../model/run.js'
import { parsed, type Row } from './rows.js'

/** What happened to a run: its steps, its events in order, the commands given to it. */
export function journalTables(database: DatabaseSync) {
  const nextSeq = database.prepare('UPDATE runs SET last_seq = last_seq + 1 WHERE run_id = ? RETURNING last_seq')
  const lastSeq = database.prepare('SELECT last_seq FROM runs WHERE run_id = ?')
  const insertEvent = database.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?)')
  const events = database.prepare('SELECT * FROM events WHERE run_id = ? AND seq > ? ORDER BY seq')
  const putStep = database.prepare(
    'INSERT INTO steps VALUES (?, ?, ?) ON CONFLICT (run_id, name) DO UPDATE SET record = excluded.record',
  )
  const steps = database.prepare('SELECT record FROM steps WHERE run_id = ?')
  const insertCommand = database.prepare('INSERT INTO commands (run_id, at, command) VALUES (?, ?, ?)')
  const commands = database.prepare('SELECT command FROM commands WHERE run_id = ? ORDER BY ordinal')

  return {
    addEvent(runId: string, { at, stage, body }: { at: number; stage?: Stage | undefined; body: EventBody }): void {
      const seq = Number(nextSeq.get(runId)?.last_seq)
      insertEvent.run(runId, seq, at, stage ?? null, JSON.stringify(body))
    },
    lastSeq: (runId: string) => Number(lastSeq.get(runId)?.last_seq),
    read: (runId: string, after: number) => events.all(runId, after).map(toEvent),
    putStep(step: StepRecord): void {
      putStep.run(step.runId, step.name, JSON.stringify(step))
    },
    steps: (runId: string) => steps.all(runId).map((row) => parsed<StepRecord>(row.record)),
    addCommand(runId: string, command: Command, nowMs: number): void {
      insertCommand.run(runId, nowMs, JSON.stringify(command))
    },
    commands: (runId: string) => commands.all(runId).map((row) => parsed<Command>(row.command)),
  }
}

function toEvent(row: Row): StoredEvent {
  const stage = row.stage === null ? {} : { stage: row.stage as Stage } // only `addEvent` writes this column
  return {
    v: 1,
    runId: String(row.run_id),
    seq: Number(row.seq),
    at: Number(row.at),
    ...stage,
    ...parsed<EventBody>(row.body),
  }
}

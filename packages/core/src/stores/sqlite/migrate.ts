import type { DatabaseSync } from 'node:sqlite'
import { schema, schemaVersion } from './schema.js'

/** Brings a new file or one of an earlier version to today's tables, in one transaction. Throws for one that this version does not know. */
export function migrate(database: DatabaseSync): void {
  if (versionOf(database) === schemaVersion) return
  database.exec('BEGIN IMMEDIATE')
  try {
    const found = versionOf(database) // another process may have been quicker
    if (found === undefined) database.exec(schema)
    else if (found === 1) fromVersion1(database)
    else if (found !== schemaVersion)
      throw new Error(`it has schema ${found}; this version of Kiwi knows schemas up to ${schemaVersion}`)
    database.prepare("INSERT OR REPLACE INTO meta VALUES ('schema', ?)").run(String(schemaVersion))
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/** `undefined` for a new file. */
function versionOf(database: DatabaseSync): number | undefined {
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
  if (tables.length === 0) return undefined
  if (!tables.some(({ name }) => name === 'meta')) throw new Error('it is the database of another program')
  const version = database.prepare("SELECT value FROM meta WHERE key = 'schema'").get()?.value
  return version === undefined ? undefined : Number(version)
}

/**
 * Version 1 had a run's request in its row, its rows by its id, no times of start and end, and no order of events across runs: they get the
 * order of their times, as far as that keeps each run's own.
 */
function fromVersion1(database: DatabaseSync): void {
  const moved = ['runs', 'steps', 'events', 'commands']
  database.exec('DROP INDEX IF EXISTS runs_open')
  for (const table of moved) database.exec(`ALTER TABLE ${table} RENAME TO ${table}_1`)
  database.exec(schema)
  database.exec(`
INSERT INTO runs SELECT ordinal, run_id, scope, service, request ->> '$.environment', request ->> '$.kind', dedupe, status, accepted_at,
  coalesce((SELECT min(at) FROM events_1 e WHERE e.run_id = r.run_id AND body ->> '$.type' = 'run-started'),
    CASE status WHEN 'accepted' THEN NULL ELSE accepted_at END),
  CASE WHEN status NOT IN ('accepted', 'running') THEN
    coalesce((SELECT max(at) FROM events_1 e WHERE e.run_id = r.run_id AND body ->> '$.type' = 'run-ended'), accepted_at) END,
  last_seq FROM runs_1 r ORDER BY ordinal;
INSERT INTO requests SELECT ordinal, request FROM runs_1 ORDER BY ordinal;
INSERT INTO steps (run, name, record) SELECT r.ordinal, name, record FROM steps_1 JOIN runs_1 r USING (run_id)
  ORDER BY r.ordinal, record ->> '$.since';
INSERT INTO events (run, seq, at, v, stage, body) SELECT run, seq, at, 1, stage, body FROM (
  SELECT r.ordinal AS run, seq, at, stage, body, max(at) OVER (PARTITION BY run_id ORDER BY seq) AS reached
  FROM events_1 JOIN runs_1 r USING (run_id)) ORDER BY reached, run, seq;
INSERT INTO commands SELECT c.ordinal, r.ordinal, at, command FROM commands_1 c JOIN runs_1 r USING (run_id) ORDER BY c.ordinal;
`)
  for (const table of moved.toReversed()) database.exec(`DROP TABLE ${table}_1`)
}

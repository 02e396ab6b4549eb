import { DatabaseSync } from 'node:sqlite'

/** The tables as version 1 made them. */
const schema = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL UNIQUE, scope TEXT NOT NULL, request TEXT NOT NULL,
  service TEXT NOT NULL, dedupe TEXT UNIQUE, status TEXT NOT NULL, accepted_at INTEGER NOT NULL, last_seq INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS runs_open ON runs (scope, ordinal) WHERE status IN ('accepted', 'running');
CREATE TABLE IF NOT EXISTS leases (
  scope TEXT PRIMARY KEY, token INTEGER NOT NULL, run_id TEXT, owner TEXT, expires_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS steps (
  run_id TEXT NOT NULL REFERENCES runs (run_id), name TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (run_id, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
  run_id TEXT NOT NULL REFERENCES runs (run_id), seq INTEGER NOT NULL, at INTEGER NOT NULL, stage TEXT, body TEXT NOT NULL,
  PRIMARY KEY (run_id, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS commands (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL REFERENCES runs (run_id), at INTEGER NOT NULL, command TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents (
  kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
`

const request = (environment: string) => ({
  kind: 'release',
  service: 'web',
  environment,
  ref: 'main',
  by: 'ana',
  definition: { name: 'web', source: { git: '/r' }, image: { registry: 'r', repository: 'web' }, environments: {} },
})

/** Writes a file as version 1 left it behind: a run that succeeded, one under way, one that waits. `logs`: so many more lines of the second. */
export function writeVersion1(path: string, logs = 1): void {
  const database = new DatabaseSync(path)
  database.exec(`PRAGMA journal_mode = WAL; ${schema}`)
  const run = database.prepare(
    'INSERT INTO runs (run_id, scope, request, service, dedupe, status, accepted_at, last_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const addRun = (
    id: string,
    environment: string,
    dedupe: string | null,
    status: string,
    at: number,
    lastSeq: number,
  ) => run.run(id, `web/${environment}`, JSON.stringify(request(environment)), 'web', dedupe, status, at, lastSeq)
  const event = database.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?)')
  const addEvent = (id: string, seq: number, at: number, body: object, stage: string | null = null) =>
    event.run(id, seq, at, stage, JSON.stringify(body))
  const step = database.prepare('INSERT INTO steps VALUES (?, ?, ?)')
  const addStep = (id: string, name: string, since: number) =>
    step.run(id, name, JSON.stringify({ runId: id, name, state: 'done', since, result: {} }))

  database.exec('BEGIN')
  database.prepare("INSERT INTO meta VALUES ('schema', '1')").run()
  addRun('a', 'production', 'once', 'succeeded', 1_000, 4)
  addRun('b', 'staging', null, 'running', 1_003, 2 + logs)
  addRun('c', 'staging', null, 'accepted', 1_006, 1)
  addEvent('a', 1, 1_000, { type: 'run-accepted', request: request('production') })
  addEvent('a', 2, 1_002, { type: 'run-started', resumed: false, host: 'h' })
  addEvent('a', 3, 1_001, { type: 'log', stream: 'out', text: 'é' }, 'build') // the clock was set back
  addEvent('a', 4, 1_009, { type: 'run-ended', status: 'succeeded', durationMs: 9 })
  addEvent('b', 1, 1_003, { type: 'run-accepted', request: request('staging') })
  addEvent('b', 2, 1_004, { type: 'run-started', resumed: false, host: 'h' })
  for (let seq = 3; seq < 3 + logs; seq += 1)
    addEvent('b', seq, 1_005, { type: 'log', stream: 'out', text: `line ${seq}` })
  addEvent('c', 1, 1_006, { type: 'run-accepted', request: request('staging') })
  addStep('a', 'source', 1_002)
  addStep('a', 'analyse', 1_003)
  const owner = { id: 'w', host: 'elsewhere', bootId: 'x', pidNamespace: '', pid: 1, startedAt: '1' }
  database.prepare('INSERT INTO leases VALUES (?, ?, ?, ?, ?)').run('web/staging', 3, 'b', JSON.stringify(owner), 9_000)
  database
    .prepare('INSERT INTO commands (run_id, at, command) VALUES (?, ?, ?)')
    .run('b', 1_005, JSON.stringify({ type: 'hold', by: 'bob' }))
  database.prepare('INSERT INTO documents VALUES (?, ?, ?)').run('release', 'web/1', JSON.stringify({ number: 1 }))
  database.exec('COMMIT')
  database.close()
}

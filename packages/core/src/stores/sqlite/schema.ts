/** Raised with every change of the tables; a file of a newer version is refused, never guessed at. */
export const schemaVersion = 1

/** WAL with a full sync: what a promise has resolved for is on the disk, also after a power cut. */
export const pragmas = 'PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON;'

export const schema = `
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

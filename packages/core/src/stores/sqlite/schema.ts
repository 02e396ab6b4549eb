/** Raised with every change of the tables; a file of a newer version is refused, never guessed at. */
export const schemaVersion = 2

/**
 * A run's rows are found by its ordinal, and its request has a table of its own: rows that change with every commit stay small. Events lie in the
 * order of their commits, whichever run they are of, so that a commit of many runs writes few pages; their ordinals are never used again.
 */
export const schema = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL UNIQUE, scope TEXT NOT NULL, service TEXT NOT NULL, environment TEXT,
  kind TEXT NOT NULL, dedupe TEXT UNIQUE, status TEXT NOT NULL, accepted_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER,
  last_seq INTEGER NOT NULL DEFAULT 0);
CREATE INDEX runs_open ON runs (scope, ordinal) WHERE status IN ('accepted', 'running');
CREATE INDEX runs_unfinished ON runs (ordinal) WHERE status IN ('accepted', 'running');
CREATE INDEX runs_service ON runs (service);
CREATE INDEX runs_environment ON runs (environment);
CREATE INDEX runs_service_environment ON runs (service, environment);
CREATE TABLE requests (run INTEGER PRIMARY KEY, request TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS leases (
  scope TEXT PRIMARY KEY, token INTEGER NOT NULL, run_id TEXT, owner TEXT, expires_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE steps (
  ordinal INTEGER PRIMARY KEY, run INTEGER NOT NULL, name TEXT NOT NULL, record TEXT NOT NULL, UNIQUE (run, name));
CREATE TABLE events (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, v INTEGER NOT NULL, stage TEXT,
  body TEXT NOT NULL);
CREATE UNIQUE INDEX events_run ON events (run, seq);
CREATE TABLE commands (
  ordinal INTEGER PRIMARY KEY, run INTEGER NOT NULL, at INTEGER NOT NULL, command TEXT NOT NULL);
CREATE INDEX commands_run ON commands (run);
CREATE TABLE IF NOT EXISTS documents (
  kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`

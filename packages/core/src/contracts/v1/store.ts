import type { EventBody, Stage, StoredEvent } from '../../events/event.js'
import type { Command, QueuePolicy, RunKind, RunRequest } from '../../model/run.js'
import type { Json } from './json.js'

/** Keeps runs, their journal and their events, and what is registered. Everything here is durable when its promise resolves. */
export interface Store {
  readonly contract: 'store/v1'
  /**
   * Takes the run in, with `run-accepted`, and `run-waiting` when others of its scope are before it (naming the oldest ten at most). A second run
   * with the same `dedupe` key or id is not taken, whatever the policy, and the first one's id is answered. Under `reject`, rejects with
   * `RUN_BUSY` when there is one before it, naming it and since when; under `supersede`, gives each of them the command `supersede` in the
   * same transaction.
   */
  accept(run: AcceptedRun): Promise<{ readonly runId: string; readonly accepted: boolean }>
  /** Gives the oldest unfinished run of the scope (of any scope when none is named) if its lease is over or its owner is known to be dead, with a new token. */
  claim(
    worker: Worker,
    filter: { readonly scope?: string | undefined; readonly nowMs: number; readonly ttlMs: number },
  ): Promise<Lease | undefined>
  /** Keeps the lease alive. Rejects with `LEASE_LOST` when a newer token is out. */
  renew(lease: Lease, times: { readonly nowMs: number; readonly ttlMs: number }): Promise<void>
  /** Gives the lease back with the run unfinished, so that another process may go on at once. */
  giveBack(lease: Lease): Promise<void>
  /** Writes the batch in one transaction and numbers its events. Rejects with `LEASE_LOST` unless the token is the newest. */
  commit(lease: Lease, batch: Batch): Promise<{ readonly seq: number }>
  /**
   * Keeps the command, with its `command` event. A run that no one has begun is ended by cancel, revert and supersede right here (`run-ended`,
   * cancelled). A run that has ended takes no more commands. Answers the run as it is afterwards; `undefined` when there is none.
   */
  command(runId: string, command: Command, nowMs: number): Promise<RunRow | undefined>
  /** Commands given to a run so far, oldest first; none when there is no such run. */
  commands(runId: string): Promise<readonly Command[]>
  run(runId: string): Promise<RunRow | undefined>
  /** Oldest first, or newest first where a `limit` is given. */
  runs(filter: RunFilter): Promise<readonly RunRow[]>
  /** In the order in which they were first written. */
  steps(runId: string): Promise<readonly StepRecord[]>
  /** Stored events after `after`, at once, at most `limit` (default 1,000); an empty list when there are none yet. */
  read(runId: string, after: number, limit?: number): Promise<readonly StoredEvent[]>
  /** Events of all runs in the order of their commits after the cursor (0: from the beginning), at most `limit`. Cursors only grow. */
  feed(after: number, limit: number): Promise<readonly { readonly cursor: number; readonly event: StoredEvent }[]>
  /** The next number of a counter: 1, 2, 3 …, never the same twice, whoever asks. */
  count(counter: string): Promise<number>
  /** Forgets steps, events and commands of a run that has ended; its row stays. Rejects with `RUN_BUSY` while it has not ended. */
  forget(runId: string): Promise<void>
  readonly documents: Documents
  close(): Promise<void>
}

export interface AcceptedRun {
  readonly runId: string
  readonly scope: string
  readonly request: RunRequest
  readonly dedupe?: string | undefined
  /** Default `queue`. */
  readonly policy?: QueuePolicy | undefined
  readonly nowMs: number
}

export interface RunFilter {
  readonly service?: string | undefined
  readonly environment?: string | undefined
  readonly kinds?: readonly RunKind[] | undefined
  readonly unfinished?: boolean | undefined
  readonly limit?: number | undefined
}

/** Who claims: enough to tell on the same host whether the process is still alive. */
export interface Worker {
  readonly id: string
  readonly host: string
  readonly bootId: string
  /** Process ids mean something only inside one namespace; '' where there are none. */
  readonly pidNamespace: string
  readonly pid: number
  /** Start time of the process as the kernel counts it; tells a reused pid from the old one. */
  readonly startedAt: string
}

export interface Lease {
  readonly runId: string
  readonly scope: string
  readonly token: number
  readonly workerId: string
}

export interface Batch {
  readonly events?:
    | readonly { readonly at: number; readonly stage?: Stage | undefined; readonly body: EventBody }[]
    | undefined
  readonly steps?: readonly StepRecord[] | undefined
  readonly documents?: readonly DocumentWrite[] | undefined
  /** Ends the run and gives its lease back. */
  readonly end?: { readonly status: 'succeeded' | 'failed' | 'cancelled'; readonly at: number } | undefined
}

/** A step's intent, and its outcome once there is one. */
export interface StepRecord {
  readonly runId: string
  readonly name: string
  readonly state: 'intended' | 'done'
  /** Milliseconds since 1970 of the first intent: deadlines do not start again after a crash. */
  readonly since: number
  /** What was wanted, fixed before the first effect. */
  readonly intent?: Json | undefined
  readonly result?: Json | undefined
}

export interface RunRow {
  readonly runId: string
  readonly scope: string
  readonly request: RunRequest
  readonly status: 'accepted' | 'running' | 'succeeded' | 'failed' | 'cancelled'
  readonly acceptedAt: number
  /** When a process first began it. */
  readonly startedAt?: number | undefined
  readonly endedAt?: number | undefined
  readonly lastSeq: number
}

/** Small JSON values by kind and key: definitions, releases, build facts. */
export interface Documents {
  get(kind: string, key: string): Promise<Json | undefined>
  /** Answers whether it was written: a `once` whose key is there is not. */
  put(write: DocumentWrite): Promise<boolean>
  /** Answers whether it was there. */
  remove(kind: string, key: string): Promise<boolean>
  /** All keys that begin with `prefix`, in the order of their bytes as UTF-8. */
  list(kind: string, prefix: string): Promise<readonly { readonly key: string; readonly value: Json }[]>
}

/** `once` refuses to change what is there (releases): the write is skipped when the key exists. */
export interface DocumentWrite {
  readonly kind: string
  readonly key: string
  readonly value: Json
  readonly once?: boolean | undefined
}

import type { EventBody, Stage, StoredEvent } from '../../events/event.js'
import type { Command, RunRequest } from '../../model/run.js'
import type { Json } from './json.js'

/** Keeps runs, their journal and their events, and what is registered. Everything here is durable when its promise resolves. */
export interface Store {
  readonly contract: 'store/v1'
  /** Takes the run in, with its first event; a second run with the same `dedupe` key is not taken, and the first one's id is answered. */
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
  command(runId: string, command: Command, nowMs: number): Promise<void>
  /** Commands given to a run so far, oldest first. */
  commands(runId: string): Promise<readonly Command[]>
  run(runId: string): Promise<RunRow | undefined>
  runs(filter: {
    readonly service?: string | undefined
    readonly unfinished?: boolean | undefined
  }): Promise<readonly RunRow[]>
  steps(runId: string): Promise<readonly StepRecord[]>
  /** Stored events after `after`, at once; an empty list when there are none yet. */
  read(runId: string, after: number): Promise<readonly StoredEvent[]>
  readonly documents: Documents
  close(): Promise<void>
}

export interface AcceptedRun {
  readonly runId: string
  readonly scope: string
  readonly request: RunRequest
  readonly dedupe?: string | undefined
  readonly nowMs: number
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
  readonly end?: { readonly status: 'succeeded' | 'failed' | 'cancelled' } | undefined
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
  readonly lastSeq: number
}

/** Small JSON values by kind and key: definitions, releases, build facts. */
export interface Documents {
  get(kind: string, key: string): Promise<Json | undefined>
  put(write: DocumentWrite): Promise<void>
  /** All keys that begin with `prefix`, in key order. */
  list(kind: string, prefix: string): Promise<readonly { readonly key: string; readonly value: Json }[]>
}

/** `once` refuses to change what is there (releases): the write is skipped when the key exists. */
export interface DocumentWrite {
  readonly kind: string
  readonly key: string
  readonly value: Json
  readonly once?: boolean | undefined
}

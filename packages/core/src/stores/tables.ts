import type { DocumentWrite, Lease, RunFilter, RunRow, StepRecord, Worker } from '../contracts/v1/store.js'
import type { StoredEvent } from '../events/event.js'
import type { Command } from '../model/run.js'
import type { PackedDocument, PackedEvent, PackedRun, PackedStep } from './pack.js'

/**
 * Where a store's rows are. All of it is synchronous: `rules.ts` says what happens to several tables at once, and the store runs that as one
 * transaction.
 */
export interface Tables {
  readonly runs: RunTable
  readonly leases: LeaseTable
  readonly journal: JournalTables
  readonly documents: DocumentTable
}

export interface RunTable {
  withDedupe(dedupe: string): string | undefined
  insert(run: PackedRun): void
  get(runId: string): RunRow | undefined
  list(filter: RunFilter): readonly RunRow[]
  /** Unfinished runs of the scope, oldest first. */
  open(scope: string, limit: number): readonly RunRow[]
  oldestOpen(scope: string): string | undefined
  /** Sets the status, and the time if it is the first. */
  begin(runId: string, at: number): void
  end(runId: string, status: RunRow['status'], at: number): void
}

/** Who may work on a scope: one row each, whose token only ever grows. */
export interface LeaseTable {
  isFree(scope: string, self: Worker, nowMs: number): boolean
  /** The oldest unfinished run of all scopes that are free. */
  oldestFree(self: Worker, nowMs: number): { readonly runId: string; readonly scope: string } | undefined
  take(scope: string, runId: string, worker: Worker, expiresAt: number): Lease
  /** Answers whether the lease is still the newest of its scope. */
  prolong(lease: Lease, expiresAt: number): boolean
  isNewest(lease: Lease): boolean
  free(lease: Lease): void
}

/** What happened to a run: its steps, its events in order, the commands given to it. */
export interface JournalTables {
  /** Numbers the events, and answers the last number. */
  addEvents(runId: string, events: readonly PackedEvent[]): number
  read(runId: string, after: number, limit: number): readonly StoredEvent[]
  feed(after: number, limit: number): readonly { readonly cursor: number; readonly event: StoredEvent }[]
  putStep(runId: string, step: PackedStep): void
  steps(runId: string): readonly StepRecord[]
  addCommand(runId: string, command: Command, nowMs: number): void
  commands(runId: string): readonly Command[]
  forget(runId: string): void
}

export interface DocumentTable {
  get(kind: string, key: string): DocumentWrite['value'] | undefined
  put(document: PackedDocument): boolean
  remove(kind: string, key: string): boolean
  list(kind: string, prefix: string): readonly { readonly key: string; readonly value: DocumentWrite['value'] }[]
  count(counter: string): number
}

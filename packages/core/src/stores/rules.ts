import type { Lease, RunRow, Store, Worker } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { EventBody } from '../events/event.js'
import { cancellation } from '../journal/cancel.js'
import type { Command } from '../model/run.js'
import { type PackedBatch, type PackedRun, packEvent } from './pack.js'
import type { Tables } from './tables.js'

/** An event that names who is before a run names at most so many: a long queue would fill the store with its own names. */
const mostNamed = 10

/**
 * What a store does that touches several tables at once, the same wherever the rows are. Each function is one transaction; one that throws a
 * `KiwiError` has changed nothing yet.
 */
export function rulesOf(tables: Tables) {
  const { runs, leases, journal, documents } = tables
  return {
    accept(run: PackedRun): { runId: string; accepted: boolean } {
      const { runId, scope, request, policy = 'queue', nowMs } = run
      const earlier = earlierOf(run, tables)
      if (earlier !== undefined) return { runId: earlier, accepted: false }
      if (policy === 'reject') refuseBehind(scope, runs.open(scope, 1))
      if (policy === 'supersede') supersede(run, tables)
      const before = runs.open(scope, mostNamed)
      runs.insert(run)
      const accepted = packEvent(nowMs, { type: 'run-accepted', request })
      journal.addEvents(runId, [accepted, ...(before.length > 0 ? [packEvent(nowMs, turn(scope, before))] : [])])
      return { runId, accepted: true }
    },
    claim(worker: Worker, { scope, nowMs, ttlMs }: Parameters<Store['claim']>[1]): Lease | undefined {
      const free = scope === undefined ? leases.oldestFree(worker, nowMs) : oldestOf(scope, worker, nowMs, tables)
      if (!free) return undefined
      runs.begin(free.runId, nowMs)
      return leases.take(free.scope, free.runId, worker, nowMs + ttlMs)
    },
    renew(lease: Lease, expiresAt: number): void {
      if (!leases.prolong(lease, expiresAt)) throw leaseLost(lease)
    },
    commit(lease: Lease, { events, steps, documents: writes, end }: PackedBatch): { seq: number } {
      if (!leases.isNewest(lease)) throw leaseLost(lease)
      for (const step of steps) journal.putStep(lease.runId, step)
      for (const write of writes) documents.put(write)
      const seq = journal.addEvents(lease.runId, events)
      if (end) {
        runs.end(lease.runId, end.status, end.at)
        leases.free(lease)
      }
      return { seq }
    },
    command(runId: string, command: Command, nowMs: number): RunRow | undefined {
      const row = runs.get(runId)
      if (!row || !isOpen(row)) return row
      give(row, command, nowMs, tables)
      return runs.get(runId)
    },
    forget(runId: string): void {
      const row = runs.get(runId)
      if (row && isOpen(row))
        throw new KiwiError('RUN_BUSY', `run ${runId} has not ended: nothing of it can be forgotten`)
      if (row) journal.forget(runId)
    },
  }
}

function earlierOf({ runId, dedupe }: PackedRun, { runs }: Tables): string | undefined {
  return (dedupe === undefined ? undefined : runs.withDedupe(dedupe)) ?? runs.get(runId)?.runId
}

function refuseBehind(scope: string, [first]: readonly RunRow[]): void {
  if (!first) return
  const { runId, by, since } = holder(first)
  const message = `run ${runId} of ${by} has ${scope} since ${new Date(since).toISOString()}`
  throw new KiwiError('RUN_BUSY', message, { evidence: { scope, runId, by, since } })
}

function supersede({ runId, scope, request, nowMs }: PackedRun, tables: Tables): void {
  const command: Command = { type: 'supersede', by: request.by, reason: `run ${runId} takes its place` }
  for (const row of tables.runs.open(scope, Number.MAX_SAFE_INTEGER)) give(row, command, nowMs, tables)
}

function turn(scope: string, before: readonly RunRow[]): EventBody {
  return { type: 'run-waiting', for: 'turn', what: scope, behind: before.map(holder) }
}

function holder({ runId, request, acceptedAt, startedAt }: RunRow): { runId: string; by: string; since: number } {
  return { runId, by: request.by, since: startedAt ?? acceptedAt }
}

function oldestOf(scope: string, worker: Worker, nowMs: number, { runs, leases }: Tables) {
  const runId = runs.oldestOpen(scope)
  return runId !== undefined && leases.isFree(scope, worker, nowMs) ? { runId, scope } : undefined
}

const ending: ReadonlySet<Command['type']> = new Set<Command['type']>(['cancel', 'revert', 'supersede'])

/** A run that nobody has begun has nothing to go back from, so it ends with the command. */
function give({ runId, status, acceptedAt }: RunRow, command: Command, nowMs: number, { runs, journal }: Tables): void {
  const events = [packEvent(nowMs, { type: 'command', command })]
  const ends = status === 'accepted' && ending.has(command.type)
  if (ends) {
    const error = cancellation(command).toRecord()
    events.push(packEvent(nowMs, { type: 'run-ended', status: 'cancelled', durationMs: nowMs - acceptedAt, error }))
    runs.end(runId, 'cancelled', nowMs)
  }
  journal.addCommand(runId, command, nowMs)
  journal.addEvents(runId, events)
}

export function isOpen({ status }: Pick<RunRow, 'status'>): boolean {
  return status === 'accepted' || status === 'running'
}

function leaseLost({ runId }: Lease): KiwiError {
  return new KiwiError('LEASE_LOST', `run ${runId} is owned by another process now`)
}

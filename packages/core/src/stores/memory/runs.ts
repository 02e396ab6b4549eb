import type { RunFilter, RunRow } from '../../contracts/v1/store.js'
import type { RunRequest } from '../../model/run.js'
import { parsed } from '../pack.js'
import { isOpen } from '../rules.js'
import type { RunTable } from '../tables.js'

/** A row whose request is text, so that whoever reads it gets one of their own. */
export interface MemoryRun extends Omit<RunRow, 'request'> {
  readonly text: string
  readonly service: string
  readonly environment: string | undefined
  readonly kind: RunRequest['kind']
}

export interface MemoryRuns extends RunTable {
  /** Unfinished runs of all scopes, oldest first. */
  unfinished(): Iterable<MemoryRun>
  /** Moves the number of the last event on, and answers it. */
  advance(runId: string, by: number): number
}

export function memoryRuns(): MemoryRuns {
  const all = new Map<string, MemoryRun>() // a map keeps the order of insertion
  const unfinished = new Map<string, Map<string, MemoryRun>>() // by scope
  const ids = new Map<string, string>() // by dedupe key

  const change = (runId: string, changes: Partial<MemoryRun>): MemoryRun | undefined => {
    const before = all.get(runId)
    if (!before) return undefined
    const run = { ...before, ...changes }
    all.set(runId, run)
    if (isOpen(run)) unfinished.get(run.scope)?.set(runId, run)
    else if (unfinished.get(run.scope)?.delete(runId) && unfinished.get(run.scope)?.size === 0)
      unfinished.delete(run.scope)
    return run
  }
  return {
    withDedupe: (dedupe) => ids.get(dedupe),
    insert({ runId, scope, request, text, dedupe, nowMs }) {
      const { service, environment, kind } = request
      const run = {
        runId,
        scope,
        text,
        service,
        environment,
        kind,
        status: 'accepted',
        acceptedAt: nowMs,
        lastSeq: 0,
      } as const
      all.set(runId, run)
      unfinished.set(scope, (unfinished.get(scope) ?? new Map<string, MemoryRun>()).set(runId, run))
      if (dedupe !== undefined) ids.set(dedupe, runId)
    },
    get(runId) {
      const run = all.get(runId)
      return run && toRow(run)
    },
    list(filter) {
      const rows = [...all.values()].filter((run) => matches(run, filter))
      return (filter.limit === undefined ? rows : rows.toReversed().slice(0, filter.limit)).map(toRow)
    },
    open: (scope, limit) => [...(unfinished.get(scope)?.values() ?? [])].slice(0, limit).map(toRow),
    oldestOpen: (scope) => unfinished.get(scope)?.keys().next().value,
    begin: (runId, at) => void change(runId, { status: 'running', startedAt: all.get(runId)?.startedAt ?? at }),
    end: (runId, status, at) => void change(runId, { status, endedAt: at }),
    *unfinished() {
      for (const run of all.values()) if (isOpen(run)) yield run
    },
    advance: (runId, by) => change(runId, { lastSeq: (all.get(runId)?.lastSeq ?? 0) + by })?.lastSeq ?? 0,
  }
}

function matches(run: MemoryRun, { service, environment, kinds, unfinished }: RunFilter): boolean {
  if (service !== undefined && run.service !== service) return false
  if (environment !== undefined && run.environment !== environment) return false
  if (kinds !== undefined && !kinds.includes(run.kind)) return false
  return !unfinished || isOpen(run)
}

function toRow({ text, service: _service, environment: _environment, kind: _kind, ...row }: MemoryRun): RunRow {
  return { ...row, request: parsed<RunRequest>(text) }
}

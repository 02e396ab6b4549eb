import type { Worker } from '../../contracts/v1/store.js'
import { isGone } from '../../journal/worker.js'
import type { LeaseTable } from '../tables.js'
import type { MemoryRuns } from './runs.js'

interface Held {
  readonly token: number
  /** `undefined`: nobody has it. */
  readonly by: { readonly runId: string; readonly owner: Worker; readonly expiresAt: number } | undefined
}

export function memoryLeases(runs: MemoryRuns): LeaseTable {
  const held = new Map<string, Held>() // by scope
  const isFree = (scope: string, self: Worker, nowMs: number): boolean => {
    const by = held.get(scope)?.by
    return !by || by.expiresAt <= nowMs || isGone(by.owner, self)
  }
  const isNewest: LeaseTable['isNewest'] = ({ scope, token, runId }) => {
    const lease = held.get(scope)
    return lease?.token === token && lease.by?.runId === runId
  }
  return {
    isFree,
    isNewest,
    oldestFree(self, nowMs) {
      const seen = new Set<string>()
      for (const { runId, scope } of runs.unfinished()) {
        if (!seen.has(scope) && isFree(scope, self, nowMs)) return { runId, scope }
        seen.add(scope)
      }
      return undefined
    },
    take(scope, runId, worker, expiresAt) {
      const token = (held.get(scope)?.token ?? 0) + 1
      held.set(scope, { token, by: { runId, owner: { ...worker }, expiresAt } })
      return { runId, scope, token, workerId: worker.id }
    },
    prolong(lease, expiresAt) {
      const by = held.get(lease.scope)?.by
      if (!by || !isNewest(lease)) return false
      held.set(lease.scope, { token: lease.token, by: { ...by, expiresAt } })
      return true
    },
    free({ scope, token }) {
      if (held.get(scope)?.token === token) held.set(scope, { token, by: undefined })
    },
  }
}

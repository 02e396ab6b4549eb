import type { SlotState } from '../contracts/v1/snapshot.js'
import type { EventBody } from '../events/event.js'
import type { Diagnosis } from '../verdict/diagnosis.js'
import { readyCount } from './read.js'
import type { Decision } from './types.js'

export interface Teller {
  /** Tells every change of what is done or waited for, once. */
  decision(decision: Decision, slot: SlotState | undefined, elapsedMs: number): void
  /** Tells every change of what seems to be wrong, once. */
  diagnosis(diagnosis: Diagnosis): void
}

export function teller(emit: (body: EventBody) => void, total: number): Teller {
  let lastDecision = ''
  let lastDiagnosis = ''
  return {
    decision(decision, slot, elapsedMs) {
      const counts = { ready: readyCount(slot), total }
      const told = describe(decision)
      const key = JSON.stringify([told, counts])
      if (key === lastDecision) return
      lastDecision = key
      emit({ type: 'rollout', ...told, ...counts, elapsedMs })
    },
    diagnosis(diagnosis) {
      const key = JSON.stringify([diagnosis.code, diagnosis.verdict, diagnosis.message])
      if (key === lastDiagnosis) return
      lastDiagnosis = key
      emit({ type: 'diagnosis', diagnosis })
    },
  }
}

function describe(decision: Decision): { phase: 'waiting' | 'acting' | 'done'; what: string; deadlineMs?: number } {
  if (decision.type === 'act') return { phase: 'acting', what: decision.action.type }
  if (decision.type === 'fail') return { phase: 'acting', what: `it failed: ${decision.message}` }
  if (decision.type === 'done') return { phase: 'done', what: decision.short ?? served(decision.route) }
  const { deadlineMs } = decision
  return { phase: 'waiting', what: decision.for, ...(deadlineMs !== undefined && { deadlineMs }) }
}

function served(route: readonly string[]): string {
  return route.length === 0 ? 'nothing has the traffic' : `${route.join(', ')} has the traffic`
}

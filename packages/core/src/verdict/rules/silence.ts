import type { Wanted } from '../../rollout/types.js'
import type { Diagnosis } from '../diagnosis.js'

/** Silence is not a failure yet, but people should not have to guess whether anything still moves. */
export function nothingHappens({ slot }: Pick<Wanted, 'slot'>, unchangedMs: number): Diagnosis {
  return {
    code: 'nothing-happens',
    verdict: 'silent',
    confidence: 'possible',
    owner: 'platform',
    message: `nothing that is seen of ${slot} has changed for a while`,
    evidence: { unchangedMs },
    remedies: [
      { what: 'Look at the instances’ output for what they wait for: a database, a lock, a secret.' },
      { what: 'Look whether the runtime is overloaded or has lost its host.' },
    ],
  }
}

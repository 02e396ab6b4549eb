import { blueGreen } from './blue-green.js'
import { guard } from './invariants.js'
import type { Decision, Seen, Wanted } from './types.js'

export type Strategy = 'blue-green'

const strategies = { 'blue-green': blueGreen } satisfies Record<Strategy, (wanted: Wanted, seen: Seen) => Decision>

/**
 * The next thing to do, from what is wanted and what is seen, and from nothing else: the same on every runtime, after every crash.
 * No decision leaves here that breaks an invariant.
 */
export function next(strategy: Strategy, wanted: Wanted, seen: Seen): Decision {
  const decision = strategies[strategy](wanted, seen)
  if (decision.type === 'act') guard(decision.action, seen.snapshot, wanted)
  return decision
}

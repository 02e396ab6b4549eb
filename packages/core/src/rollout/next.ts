import { blueGreen } from './blue-green.js'
import { guard } from './invariants.js'
import { recreate } from './recreate.js'
import { remove } from './remove.js'
import { rolling } from './rolling.js'
import { scale } from './scale.js'
import type { Decision, Procedure, Seen, Wanted } from './types.js'

const procedures: Readonly<Record<Procedure, (wanted: Wanted, seen: Seen) => Decision>> = {
  'blue-green': blueGreen,
  rolling,
  recreate,
  scale,
  remove,
}

/**
 * The next thing to do, from what is wanted and what is seen, and from nothing else: the same on every runtime, after every crash.
 * No decision leaves here that breaks an invariant.
 */
export function next(procedure: Procedure, wanted: Wanted, seen: Seen): Decision {
  const decision = procedures[procedure](wanted, seen)
  if (decision.type === 'act') guard(procedure, decision.action, seen.snapshot, wanted)
  return decision
}

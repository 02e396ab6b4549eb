import type { Snapshot } from '../contracts/v1/snapshot.js'
import { stuck } from '../verdict/waiting.js'
import { done, removeSlot, routeTo, settlesWithinMs, wait } from './decisions.js'
import { readyCount, slotOf } from './read.js'
import type { Decision, Seen, Wanted } from './types.js'

/**
 * The route is closed → every slot goes, the one that served last → the target itself. It is over when nobody has a claim any more
 * (`fence` 0). Promoted before the route is closed; going back opens it again while there is something to open it to.
 */
export function remove(wanted: Wanted, seen: Seen): Decision {
  const { snapshot, instruction, unchangedMs } = seen
  const { route, slots, tasks, fence, revision } = snapshot
  if (instruction === 'revert') return reopen(wanted, seen)
  if (route.slots.length > 0 && instruction === 'hold')
    return wait('someone promotes it', slotOf(snapshot, wanted.slot))
  if (route.slots.length > 0) return routeTo(snapshot, [])
  const late = unchangedMs >= settlesWithinMs + wanted.spec.stopGraceMs
  if (late) return stuck('what was removed is still there')
  const ids = [...new Set([...slots.map(({ id }) => id), ...tasks.map(({ slot }) => slot)])]
  const [first] = ids.sort((one, other) => rank(one, wanted, snapshot) - rank(other, wanted, snapshot))
  if (first !== undefined) return removeSlot(snapshot, first)
  return fence === 0 ? done(snapshot) : { type: 'act', action: { type: 'remove-target', revision } }
}

/** What only has to finish stopping is asked again when nothing else is left: the order may not have come to its end. */
function rank(id: string, wanted: Wanted, snapshot: Snapshot): number {
  const instances = slotOf(snapshot, id)?.instances ?? []
  const stops = instances.length > 0 && instances.every(({ phase }) => phase === 'stopping')
  return stops ? 2 : Number(id === wanted.slot)
}

function reopen({ slot: id }: Wanted, { snapshot }: Seen): Decision {
  if (snapshot.route.slots.length > 0) return done(snapshot)
  const ready = readyCount(slotOf(snapshot, id)) > 0
  return ready ? routeTo(snapshot, [id]) : done(snapshot, 'nothing is left that could serve again')
}

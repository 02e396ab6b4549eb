import type { SlotState, Snapshot } from '../contracts/v1/snapshot.js'
import type { Diagnosis } from '../verdict/diagnosis.js'
import { readyCount, slotOf } from './read.js'
import type { Decision, SlotWanted } from './types.js'

/** A route that has not settled after this long will not: the slot behind it is gone, or nobody can tell. */
export const settlesWithinMs = 30_000

/** A slot that exists keeps the name of the release that made it: that tells later whose it is. */
export function ensure(snapshot: Snapshot, wanted: SlotWanted, replicas: number): Decision {
  const { slot, image, spec } = wanted
  const release = slotOf(snapshot, slot)?.release ?? wanted.release
  return {
    type: 'act',
    action: { type: 'ensure-slot', revision: snapshot.revision, slot, release, image, spec, replicas },
  }
}

export function routeTo({ revision, route }: Snapshot, to: readonly string[]): Decision {
  return { type: 'act', action: { type: 'route', revision, from: route.slots, to } }
}

export function removeSlot({ revision }: Snapshot, slot: string): Decision {
  return { type: 'act', action: { type: 'remove-slot', revision, slot } }
}

export function done({ route }: Snapshot, short?: string): Decision {
  return { type: 'done', route: route.slots, addresses: route.addresses, ...(short !== undefined && { short }) }
}

export function wait(
  what: string,
  slot: SlotState | undefined,
  { deadlineMs, diagnosis }: { deadlineMs?: number | undefined; diagnosis?: Diagnosis | undefined } = {},
): Decision {
  return {
    type: 'wait',
    for: what,
    ready: readyCount(slot),
    total: slot?.replicas ?? 0,
    ...(deadlineMs !== undefined && { deadlineMs }),
    ...(diagnosis !== undefined && { diagnosis }),
  }
}

import type { SlotState } from '../contracts/v1/snapshot.js'
import { fold } from '../verdict/fold.js'
import { ensure, wait } from './decisions.js'
import type { Decision, Seen, Wanted } from './types.js'

/** The slot is not ready yet: waits for it, telling what is wrong meanwhile, or gives up. */
export function awaitReady(slot: SlotState | undefined, wanted: Wanted, seen: Seen): Decision {
  const { failure, diagnosis } = fold(slot, wanted, seen)
  return failure ?? wait(`${wanted.slot} is ready`, slot, { deadlineMs: wanted.readyWithinMs, diagnosis })
}

/** Orders the slot (once more), unless its time is over: so orders without effect come to an end, too. */
export function order(
  slot: SlotState | undefined,
  wanted: Wanted,
  seen: Seen,
  replicas: number = wanted.replicas,
): Decision {
  return seen.unreadyMs >= wanted.readyWithinMs
    ? awaitReady(slot, wanted, seen)
    : ensure(seen.snapshot, wanted, replicas)
}

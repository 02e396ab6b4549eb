import type { InstanceState, SlotState } from '../contracts/v1/snapshot.js'
import type { Decision } from '../rollout/types.js'

/** So many ends by itself, in all instances of a slot together, are no accident any more. */
const endsAllowed = 3

/**
 * What the state of an unready slot means: nothing yet (`undefined`), or the end of the wait. A certain failure ends it at once, a doubtful one at the deadline.
 */
export function fold(
  slot: SlotState,
  time: { readonly unreadyMs: number; readonly deadlineMs: number },
): Decision | undefined {
  const crashed = slot.instances.filter((instance) => instance.restarts > 0 || instance.phase === 'exited')
  const ends = slot.instances.reduce((sum, instance) => sum + instance.restarts, 0)
  const [worst] = crashed
  const unstartable = crashed.find(({ reason }) => reason === 'start-failed')
  if (unstartable)
    return fail('INSTANCE_CRASHED', `${unstartable.id} could not be started: ${describe(unstartable)}`, slot)
  if (worst && ends >= endsAllowed)
    return fail('INSTANCE_CRASHED', `${worst.id} ended ${ends} times: ${describe(worst)}`, slot)
  if (time.unreadyMs < time.deadlineMs) return undefined
  const [unready] = slot.instances.filter((instance) => !instance.ready)
  const seen = unready ? describe(unready) : 'it has no instances'
  return fail('ROLLOUT_DEADLINE', `${slot.id} was not ready within ${time.deadlineMs} ms: ${seen}`, slot)
}

function describe({ phase, exitCode, reason, message }: InstanceState): string {
  const parts = [exitCode === undefined ? phase : `exit code ${exitCode}`, reason, message]
  return parts.filter((part) => part !== undefined && part !== '').join(', ')
}

function fail(code: 'INSTANCE_CRASHED' | 'ROLLOUT_DEADLINE', message: string, slot: SlotState): Decision {
  const instances = slot.instances.map(({ id, phase, ready, restarts, exitCode, reason }) => ({
    id,
    phase,
    ready,
    restarts,
    ...(exitCode !== undefined && { exitCode }),
    ...(reason !== undefined && { reason }),
  }))
  return { type: 'fail', code, message, evidence: { slot: slot.id, instances } }
}

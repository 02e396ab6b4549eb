import type { Json } from '../contracts/v1/json.js'
import type { SlotState } from '../contracts/v1/snapshot.js'
import type { ErrorCode } from '../errors/catalogue.js'
import type { Failure, Seen, Wanted } from '../rollout/types.js'
import type { Diagnosis } from './diagnosis.js'
import { endsIn, type Memory } from './memory.js'
import { nothingHappens } from './rules/silence.js'
import { type About, diagnose } from './rules/table.js'

export interface Folded {
  /** What is wrong as far as can be told. */
  readonly diagnosis?: Diagnosis | undefined
  /** Waiting is over: it is certain, the budget is used up, or the time is. */
  readonly failure?: Failure | undefined
}

/** A health check that does not pass is told when it lasts this long. */
const toldAfterMs = 5_000

type Times = Pick<Seen, 'memory' | 'environment' | 'unreadyMs' | 'unchangedMs'>

/**
 * What the state of an unready slot means. A certain failure ends the wait at once, ends by themselves when they are no accident any more, and
 * everything else at the deadline; silence is told and waited through. Only the new slot is asked: what old instances do is not this release's.
 */
export function fold(slot: SlotState | undefined, wanted: Wanted, seen: Times): Folded {
  const { memory, unreadyMs, unchangedMs } = seen
  const ends = endsIn(memory)
  const found = diagnose(slot, aboutOf(wanted, seen))
  const exhausted = ends >= Math.max(1, wanted.tolerance.restarts)
  const late = unreadyMs >= wanted.readyWithinMs
  const silent = unchangedMs >= wanted.tolerance.silenceMs ? nothingHappens(wanted, unchangedMs) : undefined
  if (found?.verdict === 'fatal' || (found?.verdict === 'likely' && exhausted))
    return { diagnosis: found, failure: failure(codeOf(found), found.message, found, slot, memory) }
  if (!late) return { diagnosis: (isEarly(found, wanted, unreadyMs) ? undefined : found) ?? silent }
  const diagnosis = found ?? slow(wanted, seen)
  const message = `${wanted.slot} was not ready within ${wanted.readyWithinMs} ms: ${stateOf(slot, diagnosis)}`
  return { diagnosis, failure: failure('ROLLOUT_DEADLINE', message, diagnosis, slot, memory) }
}

/** Every application refuses connections for a moment while it starts. */
function isEarly(found: Diagnosis | undefined, { readyWithinMs }: Wanted, unreadyMs: number): boolean {
  const starting = found?.code === 'not-listening' || found?.code === 'unhealthy'
  return starting && unreadyMs < Math.min(toldAfterMs, readyWithinMs / 2)
}

/** The slot was ready, has the traffic, and has no ready instance any more while the old one still could serve. */
export function lost(slot: SlotState | undefined, wanted: Wanted, seen: Times): Failure {
  const { memory } = seen
  const found = diagnose(slot, aboutOf(wanted, seen)) ?? slow(wanted, seen)
  const code = endsIn(memory) > 0 ? 'INSTANCE_CRASHED' : 'VERIFY_FAILED'
  const message = `${wanted.slot} was ready and, with the traffic on it, is not any more: ${stateOf(slot, found)}`
  return failure(code, message, found, slot, memory)
}

function aboutOf({ slot, spec, image }: Wanted, { environment, memory }: Times): About {
  return { slot, spec, image, environment, memory, ends: endsIn(memory) }
}

function codeOf({ code }: Diagnosis): ErrorCode {
  if (code === 'image-missing') return 'MANIFEST_UNKNOWN'
  return code === 'image-denied' ? 'REGISTRY_DENIED' : 'INSTANCE_CRASHED'
}

function slow({ slot, readyWithinMs }: Wanted, { environment }: Times): Diagnosis {
  const fix = { path: `environments.${environment}.readyWithinMs`, value: readyWithinMs * 2 }
  return {
    code: 'slow-start',
    verdict: 'likely',
    confidence: 'possible',
    owner: 'configuration',
    message: `nothing is seen to be wrong with ${slot}; it may only need more time`,
    evidence: { readyWithinMs },
    remedies: [
      { what: 'Find out in its output what it does so long.' },
      { what: 'Allow more time with readyWithinMs.', fix },
    ],
  }
}

function stateOf(slot: SlotState | undefined, { code, message }: Diagnosis): string {
  if (code !== 'slow-start') return message
  const unready = slot?.instances.find((instance) => !instance.ready)
  if (!unready) return slot ? 'it has not the instances that were ordered' : 'it is not there'
  const { phase, reason, message: said } = unready
  return [phase, reason, said].filter((part) => part !== undefined && part !== '').join(', ')
}

function failure(
  code: ErrorCode,
  message: string,
  diagnosis: Diagnosis,
  slot: SlotState | undefined,
  memory: Memory,
): Failure {
  return { type: 'fail', code, message, diagnosis, evidence: { ...evidenceOf(slot), ends: endsIn(memory) } }
}

function evidenceOf(slot: SlotState | undefined): { readonly [key: string]: Json } {
  if (!slot) return {}
  const instances = slot.instances.map(({ id, phase, ready, restarts, exitCode, reason, message }) => ({
    id,
    phase,
    ready,
    restarts,
    ...(exitCode !== undefined && { exitCode }),
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
  }))
  return { slot: slot.id, instances }
}

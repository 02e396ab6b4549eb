import type { Action } from '../contracts/v1/actions.js'
import type { Snapshot } from '../contracts/v1/snapshot.js'
import type { ErrorRecord } from '../errors/kiwi-error.js'
import { type Memory, nothingSeen, remember } from '../verdict/memory.js'
import { isOrdered, isReady, slotOf } from './read.js'
import { taskOf } from './task.js'
import type { Seen, Wanted } from './types.js'

/** What a rollout must not forget by a crash, besides what it is after: plain JSON, kept before the act it speaks of. Times in milliseconds since 1970. */
export interface Kept {
  /** How many instances of the new slot were ordered last, and when: what readyWithinMs counts from. */
  readonly ordered?: { readonly replicas: number; readonly at: number } | undefined
  /** `told` is what people know of the task. */
  readonly task?: { readonly at: number; readonly told: 'started' | 'succeeded' | 'failed' } | undefined
  /** Why and since when it goes back, and since when the old slot is ordered again; the evidence is in the error. */
  readonly back?:
    | { readonly at: number; readonly because: ErrorRecord; readonly broughtAt?: number | undefined }
    | undefined
}

/** What this process has seen so far. `kept` is the only part that outlives it. */
export interface Progress {
  readonly kept: Kept
  readonly memory: Memory
  readonly readyAt: number
  readonly changed: { readonly key: string; readonly at: number }
  readonly settled: { readonly key: string; readonly at: number }
}

/**
 * `since`: when it was first wanted. A process that finds the slot or task ordered and nothing kept counts from there; one that orders it counts from then.
 */
export function begin(kept: Kept | undefined, now: number): Progress {
  const never = { key: '', at: now }
  return { kept: kept ?? {}, memory: nothingSeen, readyAt: 0, changed: never, settled: never }
}

/** With one more look. `kept` stays the same object unless there is something new to keep. */
export function look(progress: Progress, snapshot: Snapshot, wanted: Wanted, since: number, now: number): Progress {
  const slot = slotOf(snapshot, wanted.slot)
  const { changed, settled } = progress
  const route = JSON.stringify(snapshot.route.slots)
  const all = keyOf(snapshot)
  return {
    kept: back(found(progress.kept, snapshot, wanted, since), snapshot, wanted, now),
    memory: remember(progress.memory, slot),
    readyAt: slot && isReady(slot, slot.replicas) ? now : progress.readyAt,
    changed: all === changed.key ? changed : { key: all, at: now },
    settled: route === settled.key && !snapshot.route.settled ? settled : { key: route, at: now },
  }
}

/** What an earlier process ordered and could not keep. */
function found(kept: Kept, snapshot: Snapshot, wanted: Wanted, since: number): Kept {
  const slot = slotOf(snapshot, wanted.slot)
  const ordered = slot && slot.replicas > 0 ? { replicas: slot.replicas, at: since } : undefined
  const task = taskOf(snapshot, wanted) && { at: since, told: 'started' as const }
  const withSlot = kept.ordered || !ordered ? kept : { ...kept, ordered }
  return kept.task || !task ? withSlot : { ...withSlot, task }
}

function back(kept: Kept, snapshot: Snapshot, { replaces }: Wanted, now: number): Kept {
  if (!kept.back || kept.back.broughtAt !== undefined || !replaces) return kept
  const slot = slotOf(snapshot, replaces.slot)
  const ordered = slot !== undefined && isOrdered(slot, Math.max(slot.replicas, replaces.replicas))
  return ordered ? { ...kept, back: { ...kept.back, broughtAt: now } } : kept
}

/** With what an act that is about to be made changes in what must be kept. */
export function before(progress: Progress, action: Action, wanted: Wanted, now: number): Progress {
  const { kept } = progress
  if (action.type === 'run-once' && kept.task === undefined)
    return { ...progress, kept: { ...kept, task: { at: now, told: 'started' } } }
  if (action.type !== 'ensure-slot' || action.slot !== wanted.slot) return progress
  if (kept.ordered?.replicas === action.replicas) return progress
  return { ...progress, kept: { ...kept, ordered: { replicas: action.replicas, at: now } } }
}

export function timesOf(
  { kept, memory, readyAt, changed, settled }: Progress,
  now: number,
): Omit<Seen, 'snapshot' | 'instruction' | 'environment'> {
  const { ordered, task, back } = kept
  return {
    memory,
    unreadyMs: ordered ? now - Math.max(readyAt, ordered.at) : 0,
    unchangedMs: now - changed.at,
    taskMs: task ? now - task.at : 0,
    taskSucceeded: task?.told === 'succeeded',
    settlingMs: now - settled.at,
    goingBackMs: back ? now - back.at : 0,
    broughtMs: back?.broughtAt === undefined ? 0 : now - back.broughtAt,
  }
}

/** All but sentences and counts of open connections: these change without anything happening. */
function keyOf({ revision, slots, tasks, route }: Snapshot): string {
  const states = slots.map(({ id, replicas, instances }) => [
    id,
    replicas,
    instances.map((one) => [one.id, one.phase, one.ready, one.restarts, one.exitCode, one.reason]),
  ])
  return JSON.stringify([revision, states, tasks.map(({ id, phase }) => [id, phase]), route.slots, route.settled])
}

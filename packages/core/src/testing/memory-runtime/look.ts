import type { InstanceSpec } from '../../contracts/v1/actions.js'
import type { Evidence, InstanceLog } from '../../contracts/v1/runtime.js'
import type { InstanceState, SlotState, Snapshot } from '../../contracts/v1/snapshot.js'
import { type Fate, type Life, lifeOf, type Pace, type TaskFate, type TaskLife, taskLifeOf } from './fate.js'
import type { Instance, Place, Slot, Task } from './place.js'

/** All that decides what an order looks like after a time. */
export interface Nature extends Pace {
  health(digest: string, spec: InstanceSpec, instance: string): Fate
  task(task: Task): TaskFate
  prints(digest: string, spec: InstanceSpec, instance: string): string
  readonly stopsAfterMs: number
  readonly taskTakesMs: number
  readonly settlesAfterMs: number
  readonly drainsAfterMs: number
  readonly addresses: readonly string[]
}

/** What there is to see, and when that changes next by itself. */
export interface Look {
  readonly snapshot: Snapshot
  readonly dueAt: number | undefined
}

/** Forgets what is gone by now, then says what is left. */
export function look(place: Place, now: number, nature: Nature): Look {
  const due: number[] = []
  const later = (at: number | undefined) => {
    if (at !== undefined && at > now) due.push(at)
  }
  settle(place, now, nature, later)
  const slots = place.slots.map((slot) => slotState(slot, now, nature, later))
  const tasks = place.tasks.map((task) => {
    const { state, nextAgeMs } = taskLife(task, now, nature)
    later(nextAgeMs === undefined ? undefined : task.madeAt + nextAgeMs)
    return state
  })
  const settledAt = place.routedAt + nature.settlesAfterMs
  later(settledAt)
  const route = {
    slots: place.route,
    settled: now >= settledAt,
    draining: place.left.length,
    addresses: place.claimed ? nature.addresses : [],
  }
  const snapshot = { revision: String(place.revision), fence: place.fence, slots, tasks, route }
  return { snapshot, dueAt: due.length === 0 ? undefined : Math.min(...due) }
}

function settle(place: Place, now: number, nature: Nature, later: (at: number) => void): void {
  const goneAt = ({ stoppedAt }: Instance) => (stoppedAt ?? Number.POSITIVE_INFINITY) + nature.stopsAfterMs
  place.slots = place.slots
    .map((slot) => ({ ...slot, instances: slot.instances.filter((one) => goneAt(one) > now) }))
    .filter((slot) => !slot.removed || slot.instances.length > 0)
  for (const one of place.slots.flatMap(({ instances }) => instances))
    if (one.stoppedAt !== undefined) later(goneAt(one))
  place.left = place.left.filter(({ at }) => at + nature.drainsAfterMs > now)
  for (const { at } of place.left) later(at + nature.drainsAfterMs)
}

function slotState(slot: Slot, now: number, nature: Nature, later: (at: number | undefined) => void): SlotState {
  const instances = slot.instances.map((one): InstanceState => {
    const { state, nextAgeMs } = instanceLife(slot, one, now, nature)
    if (one.stoppedAt !== undefined) return { ...state, phase: 'stopping', ready: false }
    later(nextAgeMs === undefined ? undefined : one.madeAt + nextAgeMs)
    return state
  })
  const { id, release, digest, replicas } = slot
  return { id, release, digest, replicas: slot.removed ? 0 : replicas, instances }
}

function instanceLife({ digest, spec }: Slot, { id, madeAt, stoppedAt }: Instance, now: number, nature: Nature): Life {
  const born = { id, ageMs: (stoppedAt ?? now) - madeAt, prints: nature.prints(digest, spec, id) }
  return lifeOf(born, nature.health(digest, spec, id), nature)
}

function taskLife(task: Task, now: number, nature: Nature): TaskLife {
  const { startsAfterMs, taskTakesMs: takesMs } = nature
  return taskLifeOf(task, now - task.madeAt, nature.task(task), { startsAfterMs, takesMs })
}

/** How a slot's instances, or a task, ended, and what they said last. */
export function evidenceOf(place: Place, slotOrTask: string, now: number, nature: Nature): Evidence {
  const slot = place.slots.find(({ id }) => id === slotOrTask)
  const lives = slot?.instances.map((one) => instanceLife(slot, one, now, nature)) ?? []
  const ended = lives.map(({ state, lines }) =>
    endOf(
      state,
      lines.map(({ text }) => text),
    ),
  )
  const tasks = place.tasks.filter(({ id }) => id === slotOrTask).map((task) => taskLife(task, now, nature))
  return { slot: slotOrTask, instances: [...ended, ...tasks.map(({ state, lines }) => endOf(state, lines))] }
}

function endOf(
  { id, exitCode, reason }: Pick<InstanceState, 'id' | 'exitCode' | 'reason'>,
  lines: readonly string[],
): Evidence['instances'][number] {
  return {
    id,
    ...(exitCode !== undefined && { exitCode }),
    ...(reason !== undefined && { reason }),
    lastOutput: lines.slice(-20),
  }
}

/** All that a slot's instances printed so far, oldest first. */
export function logsOf(place: Place, slotId: string, now: number, nature: Nature): (InstanceLog & { at: number })[] {
  const slot = place.slots.find(({ id }) => id === slotId)
  const lines = slot?.instances.flatMap((one) =>
    instanceLife(slot, one, now, nature).lines.map(({ ageMs, text }) => ({
      instance: one.id,
      stream: 'out' as const,
      at: one.madeAt + ageMs,
      text,
    })),
  )
  return (lines ?? []).sort((one, other) => one.at - other.at)
}

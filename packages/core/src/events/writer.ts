import type { Clock } from '../contracts/v1/clock.js'
import type { Json } from '../contracts/v1/json.js'
import type { Batch, Lease, Store } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Redactor } from '../secrets/redactor.js'
import type { EventBody, KiwiEvent, ProgressBody, Stage } from './event.js'
import type { Hub } from './hub.js'

type Event = NonNullable<Batch['events']>[number]

/**
 * Writes one run's events. They wait here, redacted, until the next commit takes them along, and are delivered only after it:
 * whoever sees an event can rely on its being stored.
 */
export interface EventWriter {
  emit(body: EventBody, stage?: Stage): void
  /** Live only. */
  progress(body: ProgressBody, stage?: Stage): void
  /** Commits what waits, together with the journal's part of the batch. */
  commit(batch?: Omit<Batch, 'events'>): Promise<void>
  /** Resolves at once while little waits, else after the commit: await it where output can come faster than a disk takes it. */
  drained(): Promise<void>
  /** Why the last commit failed, if it did: the run must then be left as the store has it. */
  unsaved(): KiwiError | undefined
}

const mostWaiting = 1_000

export function eventWriter(to: {
  store: Store
  lease: Lease
  hub: Hub
  clock: Clock
  redactor: Redactor
}): EventWriter {
  const { store, lease, hub, clock, redactor } = to
  let waiting: Event[] = []
  let unsaved: KiwiError | undefined
  let scheduled: Promise<void> | undefined

  const commit = async (batch: Omit<Batch, 'events'> = {}): Promise<void> => {
    const events = waiting
    waiting = []
    const { seq } = await store.commit(lease, { ...batch, events }).catch((error: unknown) => {
      waiting = [...events, ...waiting] // the batch was undone whole: they go with the next one
      unsaved = KiwiError.from(error)
      throw error
    })
    unsaved = undefined
    for (const [index, event] of events.entries())
      hub.publish(stored(lease.runId, event, seq - events.length + 1 + index))
  }
  /** One at a time, begun in a microtask: what is emitted in one go, or while the disk is busy with the one before, shares a batch. */
  const commitSoon = (): Promise<void> => {
    scheduled ??= Promise.resolve().then(async () => {
      try {
        if (waiting.length > 0) await commit()
      } finally {
        scheduled = undefined
      }
      if (waiting.length > 0) commitSoon().catch(() => undefined) // as for `emit`
    })
    return scheduled
  }
  return {
    unsaved: () => unsaved,
    emit(body, stage) {
      waiting.push({ at: clock.now(), stage, body: body.type === 'log' ? body : redacted(redactor, body) }) // lines are redacted as a stream: journal/log-lines.ts
      commitSoon().catch(() => undefined) // a lost lease shows at the next step's own commit
    },
    progress: (body, stage) =>
      hub.publish({ v: 1, runId: lease.runId, at: clock.now(), ...(stage && { stage }), ...body }),
    commit,
    drained: async () => (waiting.length > mostWaiting ? await commitSoon() : undefined),
  }
}

function redacted(redactor: Redactor, body: EventBody): EventBody {
  return redactor.json(body as unknown as Json) as unknown as EventBody // events are plain JSON by their type; redaction keeps the shape
}

function stored(runId: string, { at, stage, body }: Event, seq: number): KiwiEvent {
  return { v: 1, runId, seq, at, ...(stage && { stage }), ...body }
}

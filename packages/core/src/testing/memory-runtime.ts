import type { Action } from '../contracts/v1/actions.js'
import type { Context } from '../contracts/v1/context.js'
import type { Runtime, Target } from '../contracts/v1/runtime.js'
import type { InstanceState, SlotState, Snapshot } from '../contracts/v1/snapshot.js'
import { KiwiError } from '../errors/kiwi-error.js'

export interface MemoryRuntime extends Runtime {
  /** The state of a target now. */
  snapshot(target: Pick<Target, 'service' | 'environment'>): Snapshot
  /** Every accepted act, in order. */
  readonly acts: Action[]
}

interface Place {
  change: number
  fence: number
  slots: SlotState[]
  route: readonly string[]
}

/**
 * A runtime in memory that keeps the contract: whole snapshots, conditional acts, a fence. `health` says what becomes of a new slot's
 * instances (default: ready at the next look).
 */
export function memoryRuntime({
  health = () => 'ready',
}: {
  health?: (digest: string) => 'ready' | 'crashes' | 'never'
} = {}): MemoryRuntime {
  const places = new Map<string, Place>()
  const acts: Action[] = []
  let changed = Promise.withResolvers<void>()
  const placeOf = ({ service, environment }: Pick<Target, 'service' | 'environment'>): Place => {
    const key = `${service}/${environment}`
    const place = places.get(key) ?? { change: 0, fence: 0, slots: [], route: [] }
    places.set(key, place)
    return place
  }
  const touch = (place: Place) => {
    place.change += 1
    changed.resolve()
    changed = Promise.withResolvers()
  }
  const fenced = (place: Place, { operation: { fence } }: Context) => {
    if (fence.token < place.fence) throw new KiwiError('FENCED', `token ${fence.token} is older than ${place.fence}`)
  }
  return {
    contract: 'runtime/v1',
    kind: 'memory',
    traits: { takes: ['registry'], rolling: 'composed' },
    acts,
    snapshot: (target) => toSnapshot(placeOf(target)),
    probe: async () => ({ ok: true, summary: 'in memory', details: {} }),
    async claim(target, context) {
      const place = placeOf(target)
      fenced(place, context)
      if (place.fence !== context.operation.fence.token) touch(place)
      place.fence = context.operation.fence.token
    },
    async *observe(target, context) {
      while (!context.signal.aborted) {
        const next = changed.promise
        const place = placeOf(target)
        yield toSnapshot(place)
        place.slots = place.slots.map((slot) => ({
          ...slot,
          instances: slot.instances.map((one) => aged(one, health(slot.digest))),
        }))
        await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 5))])
      }
    },
    async act(target, action, context) {
      const place = placeOf(target)
      fenced(place, context)
      if (action.revision !== String(place.change))
        throw new KiwiError('CONFLICT', `the revision is ${place.change}, not ${action.revision}`)
      apply(place, action)
      acts.push(action)
      touch(place)
    },
    evidence: async (_, slot) => ({
      slot,
      instances: [{ id: `${slot}-0`, exitCode: 1, lastOutput: ['it ended by itself'] }],
    }),
  }
}

function apply(place: Place, action: Action): void {
  if (action.type === 'ensure-slot') {
    const { slot: id, release, image, replicas } = action
    const instances = Array.from({ length: replicas }, (_, index) => newInstance(`${id}-${index}`))
    place.slots = [
      ...place.slots.filter((slot) => slot.id !== id),
      { id, release, digest: image.digest, replicas, instances },
    ]
  } else if (action.type === 'route') place.route = action.to
  else if (place.route.includes(action.slot)) throw new KiwiError('RUNTIME_FAILED', `${action.slot} gets the traffic`)
  else if (action.type === 'remove-slot') place.slots = place.slots.filter((slot) => slot.id !== action.slot)
}

function newInstance(id: string): InstanceState {
  return { id, phase: 'creating', ready: false, restarts: 0 }
}

function aged(instance: InstanceState, health: 'ready' | 'crashes' | 'never'): InstanceState {
  if (health === 'ready') return { ...instance, phase: 'running', ready: true }
  return health === 'never'
    ? { ...instance, phase: 'running' }
    : { ...instance, phase: 'exited', restarts: instance.restarts + 1, exitCode: 1 }
}

function toSnapshot({ change, fence, slots, route }: Place): Snapshot {
  return { revision: String(change), fence, slots, route: { slots: route, settled: true, draining: 0, addresses: [] } }
}

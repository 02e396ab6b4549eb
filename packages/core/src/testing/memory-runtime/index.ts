import { systemClock } from '../../clock.js'
import type { Action, InstanceSpec } from '../../contracts/v1/actions.js'
import type { Clock } from '../../contracts/v1/clock.js'
import type { Context } from '../../contracts/v1/context.js'
import type { Json } from '../../contracts/v1/json.js'
import type { Adoptable, Runtime, RuntimeTraits, Target } from '../../contracts/v1/runtime.js'
import type { Snapshot } from '../../contracts/v1/snapshot.js'
import { KiwiError } from '../../errors/kiwi-error.js'
import { memoryImages } from '../memory-image.js'
import type { Fate, TaskFate } from './fate.js'
import { evidenceOf, logsOf, look, type Nature } from './look.js'
import { apply, newPlace, type Place, type Task, touch } from './place.js'

export type { Fate, TaskFate } from './fate.js'

type TargetName = Pick<Target, 'service' | 'environment'>

export interface MemoryRuntimeOptions {
  /** What becomes of an instance; asked at every look, so that an answer may change (tell `refresh`). Default: it is ready. */
  readonly health?: ((digest: string, spec: InstanceSpec, instance: string) => Fate) | undefined
  /** What an instance prints when it starts. Default: that it started. */
  readonly prints?: ((digest: string, spec: InstanceSpec, instance: string) => string) | undefined
  /** What becomes of a command that runs once; `env` has secrets resolved. Default: it succeeds. */
  readonly task?: ((task: Pick<Task, 'id' | 'slot' | 'action' | 'env'>) => TaskFate) | undefined
  /** Default: the machine's. With a test clock nothing takes real time. */
  readonly clock?: Clock | undefined
  /** From an order to the start of its instances, or of its task. Default 5. */
  readonly startsAfterMs?: number | undefined
  /** Before an instance that ended is started again; doubles each time. Default 10. */
  readonly restartsAfterMs?: number | undefined
  /** From the order to stop to the end. Default 0. */
  readonly stopsAfterMs?: number | undefined
  /** Default 5. */
  readonly taskTakesMs?: number | undefined
  /** From a route order until it is settled. Default 0. */
  readonly settlesAfterMs?: number | undefined
  /** How long requests stay open on a slot that the route has left. Default 0. */
  readonly drainsAfterMs?: number | undefined
  /** Where the service answers once the target is claimed. Default: nowhere. */
  readonly addresses?: readonly string[] | undefined
  /** Default: takes images from a registry, composed rolling, routes to many. */
  readonly traits?: Partial<RuntimeTraits> | undefined
}

export interface MemoryRuntime extends Runtime {
  /** The state of a target now. */
  snapshot(target: TargetName): Snapshot
  /** Every accepted act, in order. */
  readonly acts: Action[]
  /** `health` or `task` answers differently from now on: observers look again. */
  refresh(): void
  /** The instances of a slot vanish, as with their machine; an order for the slot makes them again. */
  lose(target: TargetName, slot: string): void
  /** Puts something there that Kiwi did not make, for `adoptable` and `adopt`. */
  plant(target: TargetName, selector: Json, found: Adoptable): void
}

/**
 * A runtime in memory that keeps the whole contract: whole snapshots, conditional acts, a fence. What is seen follows from the orders and the
 * time alone, so that with a test clock the same orders give the same states.
 */
export function memoryRuntime(options: MemoryRuntimeOptions = {}): MemoryRuntime {
  const { clock = systemClock } = options
  const nature = natureOf(options)
  const traits: RuntimeTraits = { takes: ['registry'], rolling: 'composed', routes: 'many', ...options.traits }
  const images = memoryImages()
  const places = new Map<string, Place>()
  const acts: Action[] = []
  const placeOf = ({ service, environment }: TargetName): Place => {
    const key = JSON.stringify([service, environment])
    const place = places.get(key) ?? newPlace()
    places.set(key, place)
    return place
  }
  const lookAt = (place: Place) => look(place, clock.now(), nature)
  const check = (place: Place, action: Action, context: Context) => {
    context.signal.throwIfAborted()
    fenced(place, context)
    lookAt(place) // what is gone by now is no obstacle
    if (!place.claimed) throw new KiwiError('CONFLICT', 'the target is not claimed')
    if (action.revision !== String(place.revision))
      throw new KiwiError('CONFLICT', `the revision is ${place.revision}, not ${action.revision}`)
    if (action.type === 'route' && action.to.length > 1 && traits.routes === 'one')
      throw new KiwiError('RUNTIME_FAILED', 'the route goes to one slot at a time', { retryable: false })
  }
  return {
    contract: 'runtime/v1',
    kind: 'memory',
    traits,
    acts,
    probe: async () => ({ ok: true, summary: 'in memory', details: {} }),
    async claim(target, context) {
      context.signal.throwIfAborted()
      claim(placeOf(target), context)
    },
    async *observe(target, { signal }) {
      const place = placeOf(target)
      for (let last = ''; !signal.aborted; ) {
        const { snapshot, dueAt } = lookAt(place)
        const text = JSON.stringify(snapshot)
        if (text === last) await change(place, dueAt, clock, signal)
        else yield snapshot
        last = text
      }
    },
    async act(target, action, context) {
      const place = placeOf(target)
      check(place, action, context)
      const env = 'spec' in action ? await resolved(action.spec, context) : {}
      check(place, action, context)
      if (apply(place, action, clock.now(), env)) touch(place)
      acts.push(action)
    },
    evidence: async (target, slotOrTask) => evidenceOf(placeOf(target), slotOrTask, clock.now(), nature),
    async *logs(target, slot, { since = 0, follow }, { signal }) {
      const place = placeOf(target)
      const given = new Set<string>()
      for (;;) {
        const lines = logsOf(place, slot, clock.now(), nature).filter(({ at }) => at >= since)
        for (const line of lines) {
          const key = JSON.stringify(line)
          if (!given.has(key)) yield line
          given.add(key)
        }
        if (!follow || signal.aborted) return
        await change(place, lookAt(place).dueAt, clock, signal)
      }
    },
    adoptable: async (target, selector) => placeOf(target).foreign.get(JSON.stringify(selector)),
    async adopt(target, selector, slot, context) {
      const place = placeOf(target)
      const found = place.foreign.get(JSON.stringify(selector))
      if (!found) throw new KiwiError('RUNTIME_FAILED', 'there is nothing to take over', { retryable: false })
      claim(place, context)
      takeOver(place, found, slot, clock.now() - nature.startsAfterMs)
    },
    ...(traits.takes.includes('registry') ? {} : { sink: () => images.sink }),
    snapshot: (target) => lookAt(placeOf(target)).snapshot,
    refresh() {
      for (const place of places.values()) touch(place, { ordered: false })
    },
    lose(target, slot) {
      const place = placeOf(target)
      place.slots = place.slots.map((one) => (one.id === slot ? { ...one, instances: [] } : one))
      touch(place, { ordered: false })
    },
    plant: (target, selector, found) => void placeOf(target).foreign.set(JSON.stringify(selector), found),
  }
}

function natureOf(options: MemoryRuntimeOptions): Nature {
  const { health = () => 'ready', task = () => 'succeeds', addresses = [] } = options
  const { prints = (_, __, instance) => `${instance} started` } = options
  return {
    ...{ health, task, prints, addresses },
    startsAfterMs: options.startsAfterMs ?? 5,
    restartsAfterMs: options.restartsAfterMs ?? 10,
    stopsAfterMs: options.stopsAfterMs ?? 0,
    taskTakesMs: options.taskTakesMs ?? 5,
    settlesAfterMs: options.settlesAfterMs ?? 0,
    drainsAfterMs: options.drainsAfterMs ?? 0,
  }
}

function fenced({ fence }: Place, { operation }: Context): void {
  const { token } = operation.fence
  if (token < fence) throw new KiwiError('FENCED', `token ${token} is older than ${fence}`)
}

function claim(place: Place, context: Context): void {
  fenced(place, context)
  const { token } = context.operation.fence
  if (place.claimed && place.fence === token) return
  place.fence = token
  place.claimed = true
  touch(place)
}

/** Resolves at the next change, when something is due, and when the signal fires. */
async function change(place: Place, dueAt: number | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  const fired = new Promise<void>((resolve) => either.addEventListener('abort', () => resolve(), { once: true }))
  const due = dueAt === undefined ? [] : [clock.sleep(dueAt - clock.now(), either).catch(() => undefined)]
  await Promise.race([place.changed.promise, fired, ...due])
  over.abort()
}

async function resolved({ env, port }: InstanceSpec, context: Context): Promise<Record<string, string>> {
  const values: Record<string, string> = { PORT: String(port) }
  for (const [name, value] of Object.entries(env))
    values[name] = typeof value === 'string' ? value : await context.secret(value, async (plain) => plain)
  return values
}

function takeOver(place: Place, { digest = '', replicas, spec }: Adoptable, slot: string, madeAt: number): void {
  const instances = Array.from({ length: replicas }, (_, index) => ({ id: `${slot}-${index}`, madeAt }))
  const release = ''
  place.slots = [
    ...place.slots,
    { id: slot, release, digest, spec, replicas, instances, made: replicas, removed: false },
  ]
  place.route = [slot]
  touch(place)
}

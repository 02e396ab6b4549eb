import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import { systemClock } from '../../../clock.js'
import type { Action, EnsureSlot, ImageAtUse, InstanceSpec, RunOnce } from '../../../contracts/v1/actions.js'
import type { Clock } from '../../../contracts/v1/clock.js'
import type { Runtime, Target } from '../../../contracts/v1/runtime.js'
import type { InstanceState, SlotState, Snapshot, TaskState } from '../../../contracts/v1/snapshot.js'
import { KiwiError } from '../../../errors/kiwi-error.js'
import { type TestContext, testContext } from '../../context.js'
import { within } from '../expect.js'
import type { KitCase } from '../kit.js'
import { type KitPrograms, kitVariables, type RuntimeKitOptions, shellPrograms } from './options.js'

type WithoutRevision<T> = T extends unknown ? Omit<T, 'revision'> : never
export type Order = WithoutRevision<Action>

/** What a case works with: a target of its own on the runtime, claimed with token 1 unless the case is about that. */
export interface Bench {
  readonly runtime: Runtime
  readonly target: Target
  readonly images: readonly [ImageAtUse, ImageAtUse]
  readonly options: RuntimeKitOptions
  readonly clock: Clock
  readonly withinMs: number
  readonly programs: KitPrograms
  context(token?: number, signal?: AbortSignal): TestContext
  look(): Promise<Snapshot>
  /** The first snapshot that is as asked. */
  until(what: string, is: (seen: Snapshot) => boolean): Promise<Snapshot>
  /** Acts on what is seen now, looking again when that moved. */
  order(order: Order, token?: number): Promise<void>
  ensure(slot: string, more?: Partial<Omit<EnsureSlot, 'type' | 'slot'>>): WithoutRevision<EnsureSlot>
  runOnce(
    task: string,
    slot: string,
    command: readonly string[],
    spec?: Partial<InstanceSpec>,
  ): WithoutRevision<RunOnce>
  /** Makes the slot and waits until it is ready. */
  ready(slot: string, more?: Partial<Omit<EnsureSlot, 'type' | 'slot'>>): Promise<Snapshot>
  /** Moves the route and waits until it is settled. */
  route(from: readonly string[], to: readonly string[]): Promise<Snapshot>
}

export type Check = (bench: Bench) => Promise<void>

/** A case on a target of its own, which is cleared away afterwards. */
export function runtimeCase(
  options: RuntimeKitOptions,
  name: string,
  check: Check,
  { claimed = true }: { readonly claimed?: boolean } = {},
): KitCase {
  return {
    name,
    async run() {
      const bench = await newBench(options)
      const { clock, withinMs, runtime, target } = bench
      try {
        if (claimed) await runtime.claim(target, bench.context())
        await within(clock, 10 * withinMs, name, check(bench))
      } finally {
        await within(clock, 2 * withinMs, 'clearing away', clear(bench)).catch(() => undefined) // has a case of its own
        await options.clean?.(target, runtime)
      }
    },
  }
}

const defaultSpec: InstanceSpec = {
  env: {},
  port: 3000,
  health: { type: 'http', path: '/', intervalMs: 200, timeoutMs: 1_000 },
  volumes: [],
  resources: { requests: {}, limits: {} },
  stopGraceMs: 1_000,
}

const imagesOf = new WeakMap<Runtime, Promise<readonly [ImageAtUse, ImageAtUse]>>()

async function newBench(options: RuntimeKitOptions): Promise<Bench> {
  const { clock = systemClock, withinMs = 20_000, programs = shellPrograms } = options
  const runtime = await options.runtime()
  const bringing = imagesOf.get(runtime) ?? options.images(runtime)
  imagesOf.set(runtime, bringing)
  const images = await bringing
  const publish = options.target?.publish ?? { protocol: 'http', address: '127.0.0.1', port: 0 }
  const service = `kit-${randomBytes(4).toString('hex')}`
  const target: Target = { service, environment: 'test', ...options.target, publish }
  const spec = { ...defaultSpec, ...options.spec }
  const context = (token = 1, signal?: AbortSignal) =>
    testContext({ token, signal, secrets: { KIT_SECRET: kitVariables.secret } })
  const until: Bench['until'] = (what, is) => firstOf(bench, what, is)
  const bench: Bench = {
    ...{ runtime, target, images, options, clock, withinMs, programs, context, until },
    look: () => until('a look', () => true),
    order: (order, token = 1) => act(bench, order, token),
    ensure: (slot, more) => ({
      ...{ type: 'ensure-slot', slot, release: `release-${slot}`, image: images[0], spec, replicas: 1 },
      ...more,
    }),
    runOnce: (task, slot, command, more) => ({
      ...{ type: 'run-once', task, slot, release: `release-${slot}`, image: images[0] },
      ...{ spec: { ...spec, ...more }, command },
    }),
    async ready(slot, more) {
      await bench.order(bench.ensure(slot, more))
      return until(`${slot} is ready`, isReady(slot, more?.replicas ?? 1))
    },
    async route(from, to) {
      await bench.order({ type: 'route', from, to })
      return until(`all traffic goes to [${to}]`, isRouted(to))
    },
  }
  return bench
}

async function firstOf(
  { runtime, target, context, clock, withinMs }: Bench,
  what: string,
  is: (seen: Snapshot) => boolean,
): Promise<Snapshot> {
  const stop = new AbortController()
  const snapshots = runtime.observe(target, context(1, stop.signal))[Symbol.asyncIterator]()
  let last: Snapshot | undefined
  const search = async (): Promise<Snapshot> => {
    for (let next = await snapshots.next(); !next.done; next = await snapshots.next()) {
      last = next.value
      if (is(last)) return last
    }
    return assert.fail(`observing ended before: ${what}`)
  }
  try {
    return await within(clock, withinMs, what, search())
  } catch (error) {
    if (error instanceof assert.AssertionError) error.message += `\nlast seen: ${JSON.stringify(last, undefined, 1)}`
    throw error
  } finally {
    stop.abort()
    snapshots.return?.().catch(() => undefined)
  }
}

async function act(bench: Bench, order: Order, token: number): Promise<void> {
  const { runtime, target, context, clock, withinMs } = bench
  for (const end = clock.now() + withinMs; ; ) {
    const { revision } = await bench.look()
    try {
      return await runtime.act(target, { ...order, revision }, context(token))
    } catch (error) {
      const moved = KiwiError.is(error) && error.code === 'CONFLICT' && clock.now() < end
      if (!moved || (await bench.look()).revision === revision) throw error
    }
  }
}

/** Closes the route, removes the slots and the target, as far as the runtime can. */
async function clear(bench: Bench): Promise<void> {
  const token = 1_000
  await bench.runtime.claim(bench.target, bench.context(token))
  const seen = await bench.look()
  if (seen.route.slots.length > 0) await bench.order({ type: 'route', from: seen.route.slots, to: [] }, token)
  for (const slot of new Set([...seen.slots.map(({ id }) => id), ...seen.tasks.map((task) => task.slot)]))
    await bench.order({ type: 'remove-slot', slot }, token)
  await bench.until('no slot is left', ({ slots }) => slots.length === 0)
  await bench.order({ type: 'remove-target' }, token)
}

export function slotIn({ slots }: Snapshot, id: string): SlotState | undefined {
  return slots.find((slot) => slot.id === id)
}

export function instancesIn(seen: Snapshot, slot: string): readonly InstanceState[] {
  return slotIn(seen, slot)?.instances ?? []
}

export function taskIn({ tasks }: Snapshot, id: string): TaskState | undefined {
  return tasks.find((task) => task.id === id)
}

export function isReady(slot: string, replicas: number): (seen: Snapshot) => boolean {
  return (seen) =>
    slotIn(seen, slot)?.replicas === replicas &&
    instancesIn(seen, slot).filter(({ ready }) => ready).length === replicas
}

export function isRouted(to: readonly string[]): (seen: Snapshot) => boolean {
  return ({ route }) =>
    route.settled && route.slots.length === to.length && to.every((slot) => route.slots.includes(slot))
}

/** Answers with the text of GET, on a connection of its own. */
export async function ask(address: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  get(address, { agent: false }, (response) => void text(response).then(resolve, reject)).on('error', reject)
  return (await promise).trim()
}

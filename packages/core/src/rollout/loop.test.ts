import { describe, expect, it } from 'vitest'
import type { Action } from '../contracts/v1/actions.js'
import type { Snapshot } from '../contracts/v1/snapshot.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { EventBody } from '../events/event.js'
import { testContext } from '../testing/context.js'
import { type MemoryRuntimeOptions, memoryRuntime } from '../testing/memory-runtime/index.js'
import { testClock } from '../testing/test-clock.js'
import { type RolledOut, type RolloutOptions, rollout } from './loop.js'
import type { Kept } from './progress.js'
import type { Procedure, SlotWanted, Wanted } from './types.js'

const target = {
  service: 'web',
  environment: 'production',
  publish: { protocol: 'http', address: '127.0.0.1', port: 0 },
} as const

const spec = {
  env: {},
  port: 3000,
  health: { type: 'http', path: '/', intervalMs: 1_000, timeoutMs: 1_000 },
  volumes: [],
  resources: { requests: {}, limits: {} },
  stopGraceMs: 1_000,
} as const

function slotWanted(number: number): SlotWanted {
  const image = { digest: `sha256:${number}`, name: `web:${number}`, pull: `memory.test/web@sha256:${number}` }
  return { slot: `r${number}`, release: `web/production/${number}`, image, spec, replicas: 2 }
}

function update(part: Partial<Wanted> = {}): Wanted {
  return {
    ...slotWanted(2),
    replaces: slotWanted(1),
    beforeSwitch: undefined,
    readyWithinMs: 10_000,
    tolerance: { restarts: 3, silenceMs: 5_000 },
    ...part,
  }
}

const migrate = { command: ['migrate'], withinMs: 30_000 }

/** A runtime with release 1 serving, and what happens to it. */
async function stage(options: MemoryRuntimeOptions = {}) {
  const clock = testClock({ autoAdvance: true })
  const runtime = memoryRuntime({ ...options, clock })
  const context = testContext()
  const events: EventBody[] = []
  const points: string[] = []
  const provided: string[] = []
  const kept: Kept[] = []
  await runtime.claim(target, context)
  const run = (procedure: Procedure, wanted: Wanted, more: Partial<RolloutOptions> = {}): Promise<RolledOut> =>
    rollout({
      runtime,
      target,
      procedure,
      wanted,
      since: clock.now(),
      clock,
      context,
      instruction: async () => ({ instruction: 'promote' }),
      provide: async ({ digest }) => void provided.push(digest),
      emit: (body) => void events.push(body),
      killPoint: (name) => void points.push(name),
      keep: async (one) => void kept.push(one),
      ...more,
    })
  await run('blue-green', { ...update(), ...slotWanted(1), replaces: undefined })
  for (const list of [runtime.acts, events, points, provided, kept]) list.length = 0
  const state = () => shortly(runtime.snapshot(target))
  return { clock, runtime, context, events, points, provided, kept, run, state }
}

function shortly({ slots, route }: Snapshot) {
  const counted = slots.map(({ id, instances }) => [id, instances.filter(({ ready }) => ready).length])
  return { slots: Object.fromEntries(counted), route: route.slots }
}

function written(acts: readonly Action[]): string[] {
  return acts.map((action) => {
    if (action.type === 'route') return `route [${action.to.join()}]`
    if (action.type === 'ensure-slot') return `${action.slot} at ${action.replicas}`
    return 'slot' in action ? `${action.type} ${action.slot}` : action.type
  })
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => (KiwiError.is(error) ? error : undefined),
  )

describe('the loop', () => {
  it('rolls instance by instance and keeps the old slot empty', async () => {
    const { run, runtime, state, provided } = await stage()
    expect(await run('rolling', update())).toMatchObject({ route: ['r2'] })
    expect(written(runtime.acts)).toEqual(['r2 at 1', 'route [r1,r2]', 'r1 at 1', 'r2 at 2', 'route [r2]', 'r1 at 0'])
    expect(state()).toEqual({ slots: { r1: 0, r2: 2 }, route: ['r2'] })
    expect(provided).toEqual(['sha256:2', 'sha256:2'])
  })

  it('recreates: closed, emptied, the task, the new slot, the route; what the task printed are log lines', async () => {
    const { run, runtime, events, context, state } = await stage()
    await run('recreate', update({ beforeSwitch: migrate }))
    expect(written(runtime.acts)).toEqual(['route []', 'r1 at 0', 'run-once r2', 'r2 at 2', 'route [r2]'])
    expect(events.filter(({ type }) => type === 'task')).toEqual([
      { type: 'task', task: 'r2-before-switch', phase: 'started' },
      { type: 'task', task: 'r2-before-switch', phase: 'succeeded', exitCode: 0 },
    ])
    expect(context.text()).toContain('r2-before-switch started')
    expect(state()).toEqual({ slots: { r1: 0, r2: 2 }, route: ['r2'] })
  })

  it('scales, and takes everything away', async () => {
    const { run, runtime, state } = await stage()
    const one = { ...update(), ...slotWanted(1), replaces: slotWanted(1) }
    await run('scale', { ...one, replicas: 3 })
    expect(state()).toEqual({ slots: { r1: 3 }, route: ['r1'] })
    expect(await run('remove', one)).toMatchObject({ route: [] })
    expect(written(runtime.acts)).toEqual(['r1 at 3', 'route []', 'remove-slot r1', 'remove-target'])
    expect(runtime.snapshot(target)).toMatchObject({ slots: [], fence: 0 })
  })

  it('refuses to roll where the route goes to one slot only', async () => {
    const { run } = await stage({ traits: { routes: 'one' } })
    expect(await failure(run('rolling', update()))).toMatchObject({ code: 'STRATEGY_UNFIT' })
  })

  it('keeps the evidence before it undoes anything, says once what is wrong, and goes back', async () => {
    const { run, runtime, events, state } = await stage({
      health: (digest) => (digest === 'sha256:2' ? 'crashes' : 'ready'),
    })
    const error = await failure(run('blue-green', update()))
    expect(error).toMatchObject({ code: 'INSTANCE_CRASHED', evidence: { diagnosis: 'application-exits' } })
    const order = events.map(({ type }) => type)
    const removed = events.findIndex((event) => event.type === 'rollout' && event.what === 'remove-slot')
    expect(order.indexOf('evidence-kept')).toBeGreaterThan(-1)
    expect(order.indexOf('evidence-kept')).toBeLessThan(removed)
    const messages = events.flatMap((event) => (event.type === 'diagnosis' ? event.diagnosis.message : []))
    expect(new Set(messages).size).toBe(messages.length)
    expect(messages.length).toBeGreaterThan(0)
    expect([written(runtime.acts).at(-1), state()]).toEqual(['remove-slot r2', { slots: { r1: 2 }, route: ['r1'] }])
  })

  it('fails with the task’s own output, and brings the old instances back', async () => {
    const { run, events, context, state } = await stage({ task: () => ({ exits: 3, says: 'no such table' }) })
    const error = await failure(run('recreate', update({ beforeSwitch: migrate })))
    expect(error).toMatchObject({ code: 'TASK_FAILED' })
    expect(JSON.stringify(error?.evidence)).toContain('no such table')
    expect(context.text()).toContain('no such table')
    expect(events).toContainEqual({ type: 'task', task: 'r2-before-switch', phase: 'failed', exitCode: 3 })
    expect(state()).toEqual({ slots: { r1: 2 }, route: ['r1'] })
    expect(events.filter(({ type }) => type === 'task')).toHaveLength(2)
  })

  it('does not forget by a crash that it goes back', async () => {
    const { run, kept, state, clock } = await stage({
      health: (digest) => (digest === 'sha256:2' ? 'crashes' : 'ready'),
    })
    const killed = (name: string) => {
      if (name === 'rollout: going back') throw new Error('killed')
    }
    await expect(run('rolling', update(), { killPoint: killed })).rejects.toThrow('killed')
    expect(state()).toMatchObject({ route: ['r1'] })
    const before = kept.at(-1)
    expect(before?.back?.because.code).toBe('INSTANCE_CRASHED')
    const resumed = await failure(run('rolling', update(), { kept: before, since: clock.now() - 60_000 }))
    expect(resumed).toMatchObject({ code: 'INSTANCE_CRASHED' })
    expect(state()).toEqual({ slots: { r1: 2 }, route: ['r1'] })
  })

  it('adopts the task that a killed process ordered, and does not begin its time anew', async () => {
    const { run, kept, runtime, clock, events } = await stage({ task: () => 'hangs' })
    const wanted = update({ beforeSwitch: migrate })
    const killed = (name: string) => {
      if (name === 'rollout: after run-once') throw new Error('killed')
    }
    await expect(run('rolling', wanted, { killPoint: killed })).rejects.toThrow('killed')
    const began = clock.now()
    await clock.sleep(20_000, new AbortController().signal)
    const error = await failure(run('rolling', wanted, { kept: kept.at(-1) }))
    expect(error).toMatchObject({ code: 'TASK_FAILED' })
    expect(clock.now() - began).toBeLessThan(32_000)
    expect(written(runtime.acts).filter((act) => act === 'run-once r2')).toHaveLength(1)
    expect(events.filter((event) => event.type === 'task' && event.phase === 'started')).toHaveLength(1)
  })

  it('counts the time to be ready from the order, not from the transfer of the image before it', async () => {
    const { run, clock, state } = await stage({ startsAfterMs: 5_000 })
    const provide = () => clock.sleep(60_000, new AbortController().signal)
    expect(await run('blue-green', update(), { provide })).toMatchObject({ route: ['r2'] })
    expect(state()).toMatchObject({ slots: { r2: 2 } })
  })

  it('holds until it is promoted, and turns back when it is told so', async () => {
    const { run, clock, state } = await stage()
    const began = clock.now()
    const because = new KiwiError('CANCELLED', 'someone changed their mind')
    const instruction = async () =>
      clock.now() - began < 30_000 ? ({ instruction: 'hold' } as const) : ({ instruction: 'revert', because } as const)
    expect(await failure(run('rolling', update(), { instruction }))).toMatchObject({ code: 'CANCELLED' })
    expect(state()).toEqual({ slots: { r1: 2 }, route: ['r1'] })
  })

  it('says what could not be had on the way back', async () => {
    let gone = false
    const { run, runtime, state } = await stage({
      health: (digest) => (digest === 'sha256:1' && gone ? 'never' : 'ready'),
    })
    const because = new KiwiError('VERIFY_FAILED', 'it answered 500')
    await run('rolling', update())
    gone = true
    const error = await failure(
      run('rolling', update(), { instruction: async () => ({ instruction: 'revert', because }) }),
    )
    expect(error).toMatchObject({ code: 'VERIFY_FAILED' })
    expect(error?.message).toContain('r1 could not be brought back')
    expect(state()).toMatchObject({ route: ['r2'] })
    expect(runtime.acts.length).toBeGreaterThan(0)
  })

  it('turns back with the error of a write that is refused, and says when it is about the image', async () => {
    const { run, runtime, events, state } = await stage()
    const refusing = {
      ...runtime,
      act: async (...[place, action, context]: Parameters<typeof runtime.act>) => {
        if (action.type === 'ensure-slot' && action.slot === 'r2') throw new KiwiError('MANIFEST_UNKNOWN', 'not there')
        return runtime.act(place, action, context)
      },
    }
    expect(await failure(run('blue-green', update(), { runtime: refusing }))).toMatchObject({
      code: 'MANIFEST_UNKNOWN',
    })
    expect(events).toContainEqual({ type: 'diagnosis', diagnosis: expect.objectContaining({ code: 'image-missing' }) })
    expect(state()).toEqual({ slots: { r1: 2 }, route: ['r1'] })
  })
})

import { describe, expect, it } from 'vitest'
import type { Action } from '../contracts/v1/actions.js'
import type { InstanceState, SlotState, Snapshot } from '../contracts/v1/snapshot.js'
import { next } from './next.js'
import type { Instruction, Wanted } from './types.js'

const wanted: Wanted = {
  slot: 'r2',
  release: 'web/production/2',
  image: { digest: 'sha256:2', name: 'embedded/web:2', pull: 'memory.test/web@sha256:2' },
  spec: {
    env: {},
    port: 3000,
    health: { type: 'http', path: '/', intervalMs: 1_000, timeoutMs: 1_000 },
    volumes: [],
    stopGraceMs: 1_000,
  },
  replicas: 2,
  replaces: 'r1',
  readyWithinMs: 10_000,
}

const ready: InstanceState = { id: 'a', phase: 'running', ready: true, restarts: 0 }
const starting: InstanceState = { id: 'b', phase: 'running', ready: false, restarts: 0 }
const crashed: InstanceState = { id: 'c', phase: 'exited', ready: false, restarts: 3, exitCode: 1 }

function slot(id: string, instances: readonly InstanceState[]): SlotState {
  return { id, release: `web/production/${id.slice(1)}`, digest: `sha256:${id.slice(1)}`, replicas: 2, instances }
}

function snapshot(slots: readonly SlotState[], route: readonly string[], settled = true): Snapshot {
  return { revision: '7', fence: 1, slots, route: { slots: route, settled, draining: 0, addresses: [] } }
}

function decide(seen: Snapshot, instruction: Instruction = 'promote', unreadyMs = 0, goingBackMs = 0, settlingMs = 0) {
  return next('blue-green', wanted, { snapshot: seen, instruction, unreadyMs, goingBackMs, settlingMs })
}

const old = slot('r1', [ready, ready])

describe('blue-green', () => {
  it('makes the new slot beside the old one', () => {
    expect(decide(snapshot([old], ['r1']))).toMatchObject({
      type: 'act',
      action: { type: 'ensure-slot', slot: 'r2', replicas: 2, revision: '7' },
    })
  })

  it.each([0, 1])('makes the slot whole again when only %i of its two instances are there', (count) => {
    const left = Array.from({ length: count }, () => ready)
    expect(decide(snapshot([old, slot('r2', left)], ['r1']))).toMatchObject({ action: { type: 'ensure-slot' } })
  })

  it('gives up on an instance that could not even be started', () => {
    const unstartable = { ...starting, phase: 'exited' as const, reason: 'start-failed' }
    expect(decide(snapshot([old, slot('r2', [ready, unstartable])], ['r1']))).toMatchObject({
      type: 'fail',
      code: 'INSTANCE_CRASHED',
    })
  })

  it('does not wait for ever for traffic that does not move: forward it fails, on the way back it ends', () => {
    const both = [old, slot('r2', [ready, ready])]
    expect(decide(snapshot(both, ['r2'], false), 'promote', 0, 0, 30_000)).toMatchObject({
      type: 'fail',
      code: 'ROLLOUT_DEADLINE',
    })
    expect(decide(snapshot(both, ['r1'], false), 'revert', 0, 29_999)).toMatchObject({ type: 'wait' })
    expect(decide(snapshot(both, ['r1'], false), 'revert', 0, 30_000)).toMatchObject({
      action: { type: 'remove-slot', slot: 'r2' },
    })
  })

  it('waits until as many instances as wanted are ready', () => {
    expect(decide(snapshot([old, slot('r2', [ready, starting])], ['r1']))).toMatchObject({
      type: 'wait',
      ready: 1,
      total: 2,
    })
  })

  it('moves the route when all are ready, from what it saw to the new slot', () => {
    const decision = decide(snapshot([old, slot('r2', [ready, ready])], ['r1']))
    expect(decision).toEqual({ type: 'act', action: { type: 'route', revision: '7', from: ['r1'], to: ['r2'] } })
  })

  it('waits before the route when told to hold', () => {
    expect(decide(snapshot([old, slot('r2', [ready, ready])], ['r1']), 'hold')).toMatchObject({
      type: 'wait',
      for: 'someone promotes it',
    })
  })

  it('is done when all traffic has moved, and keeps the slot it came from', () => {
    const seen = [old, slot('r2', [ready, ready])]
    expect(decide(snapshot(seen, ['r2'], false))).toMatchObject({ type: 'wait' })
    expect(decide(snapshot(seen, ['r2']))).toMatchObject({ type: 'done', route: ['r2'] })
  })

  it('removes slots older than the one it came from', () => {
    const seen = [slot('r0', [ready]), old, slot('r2', [ready, ready])]
    expect(decide(snapshot(seen, ['r2']))).toMatchObject({ action: { type: 'remove-slot', slot: 'r0' } })
  })

  it('gives up at once on a slot whose instances keep ending, and not before the deadline on one that is slow', () => {
    expect(decide(snapshot([old, slot('r2', [crashed, starting])], ['r1']))).toMatchObject({
      type: 'fail',
      code: 'INSTANCE_CRASHED',
    })
    const slow = snapshot([old, slot('r2', [starting, starting])], ['r1'])
    expect(decide(slow, 'promote', 9_999)).toMatchObject({ type: 'wait' })
    expect(decide(slow, 'promote', 10_000)).toMatchObject({ type: 'fail', code: 'ROLLOUT_DEADLINE' })
  })

  it('goes back: route first, then the new slot is removed, then it is done', () => {
    const both = [old, slot('r2', [ready, ready])]
    expect(decide(snapshot(both, ['r2']), 'revert')).toMatchObject({
      action: { type: 'route', from: ['r2'], to: ['r1'] },
    })
    expect(decide(snapshot(both, ['r1']), 'revert')).toMatchObject({ action: { type: 'remove-slot', slot: 'r2' } })
    expect(decide(snapshot([old], ['r1']), 'revert')).toMatchObject({ type: 'done', route: ['r1'] })
  })

  it('does not go back to a slot that is not ready: what serves stays', () => {
    const both = [slot('r1', [starting]), slot('r2', [ready, ready])]
    expect(decide(snapshot(both, ['r2']), 'revert')).toMatchObject({ type: 'done', route: ['r2'] })
  })

  it('does not remove a slot that an earlier release made', () => {
    const kept = { ...slot('r2', [starting, starting]), release: 'web/production/1' }
    expect(decide(snapshot([old, kept], ['r1']), 'revert')).toMatchObject({ type: 'done' })
  })
})

describe('a simulated rollout', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'ends, never routes to what is unready and never removes what is routed (seed %i)',
    (seed) => {
      const random = randomFrom(seed)
      for (let round = 0; round < 200; round += 1) expect(() => simulate(random)).not.toThrow()
    },
  )
})

/** Lives through a rollout with crashes of instances and changes of mind; throws when an invariant breaks or it does not end. */
function simulate(random: () => number): void {
  let slots: SlotState[] = random() < 0.8 ? [old] : []
  let route: string[] = slots.length > 0 ? ['r1'] : []
  let instruction: Instruction = 'promote'
  for (let step = 0; step < 200; step += 1) {
    if (random() < 0.02) instruction = 'revert'
    const decision = decide(snapshot(slots, route, random() < 0.7), instruction, step * 100)
    if (decision.type === 'done') return
    if (decision.type === 'fail') instruction = 'revert'
    if (decision.type === 'act') [slots, route] = apply(decision.action, slots, route)
    slots = slots.map((one) => ({ ...one, instances: one.instances.map((instance) => live(instance, random)) }))
  }
  throw new Error('it did not end')
}

function apply(action: Action, slots: SlotState[], route: string[]): [SlotState[], string[]] {
  if (action.type === 'ensure-slot')
    return [[...slots.filter(({ id }) => id !== action.slot), slot(action.slot, [starting, starting])], route]
  if (action.type === 'route') {
    const target = slots.find(({ id }) => id === action.to[0])
    if (!target?.instances.some((instance) => instance.ready)) throw new Error('routed to what is not ready')
    return [slots, [...action.to]]
  }
  if (route.includes(action.slot)) throw new Error('removed what is routed')
  return [slots.filter(({ id }) => id !== action.slot), route]
}

function live(instance: InstanceState, random: () => number): InstanceState {
  if (random() < 0.03) return { ...instance, ready: false, restarts: instance.restarts + 1 }
  return random() < 0.4 ? { ...instance, phase: 'running', ready: true } : instance
}

function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
}

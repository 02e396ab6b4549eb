import { describe, expect, it } from 'vitest'
import type { InstanceState, SlotState, Snapshot } from '../contracts/v1/snapshot.js'
import { nothingSeen, remember } from '../verdict/memory.js'
import { next } from './next.js'
import type { Procedure, Seen, SlotWanted, Wanted } from './types.js'

const spec = {
  env: {},
  port: 3000,
  health: { type: 'http', path: '/', intervalMs: 1_000, timeoutMs: 1_000 },
  volumes: [],
  resources: { requests: {}, limits: {} },
  stopGraceMs: 1_000,
} as const

function wantedSlot(number: number): SlotWanted {
  const image = {
    digest: `sha256:${number}`,
    name: `embedded/web:${number}`,
    pull: `memory.test/web@sha256:${number}`,
  }
  return { slot: `r${number}`, release: `web/production/${number}`, image, spec, replicas: 2 }
}

const wanted: Wanted = {
  ...wantedSlot(2),
  replaces: wantedSlot(1),
  beforeSwitch: undefined,
  readyWithinMs: 10_000,
  tolerance: { restarts: 3, silenceMs: 5_000 },
}
const migrating: Wanted = { ...wanted, beforeSwitch: { command: ['migrate'], withinMs: 5_000 } }

const ready: InstanceState = { id: 'a', phase: 'running', ready: true, restarts: 0 }
const starting: InstanceState = { id: 'b', phase: 'running', ready: false, restarts: 0 }
const crashed: InstanceState = { id: 'c', phase: 'exited', ready: false, restarts: 3, exitCode: 1 }
const stopping: InstanceState = { id: 'd', phase: 'stopping', ready: false, restarts: 0 }

function slot(id: string, instances: readonly InstanceState[], replicas = 2): SlotState {
  return { id, release: `web/production/${id.slice(1)}`, digest: `sha256:${id.slice(1)}`, replicas, instances }
}

function snapshot(
  slots: readonly SlotState[],
  route: readonly string[],
  settled = true,
  tasks: Snapshot['tasks'] = [],
): Snapshot {
  return { revision: '7', fence: 1, slots, tasks, route: { slots: route, settled, draining: 0, addresses: [] } }
}

function task(phase: 'running' | 'succeeded' | 'failed', exitCode?: number): Snapshot['tasks'] {
  return [{ id: 'r2-before-switch', slot: 'r2', phase, ...(exitCode !== undefined && { exitCode }) }]
}

function decide(seen: Snapshot, part: Partial<Seen> = {}, procedure: Procedure = 'blue-green', want = wanted) {
  return next(procedure, want, {
    snapshot: seen,
    instruction: 'promote',
    environment: 'production',
    memory: remember(
      nothingSeen,
      seen.slots.find(({ id }) => id === want.slot),
    ),
    unreadyMs: 0,
    unchangedMs: 0,
    taskMs: 0,
    taskSucceeded: false,
    settlingMs: 0,
    goingBackMs: 0,
    broughtMs: 0,
    ...part,
  })
}

const old = slot('r1', [ready, ready])
const revert = { instruction: 'revert' } as const

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
    expect(decide(snapshot(both, ['r2'], false), { settlingMs: 30_000 })).toMatchObject({
      type: 'fail',
      code: 'ROLLOUT_DEADLINE',
    })
    expect(decide(snapshot(both, ['r1'], false), { ...revert, settlingMs: 29_999 })).toMatchObject({ type: 'wait' })
    expect(decide(snapshot(both, ['r1'], false), { ...revert, settlingMs: 30_000 })).toMatchObject({
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
    expect(decide(snapshot([old, slot('r2', [ready, ready])], ['r1']), { instruction: 'hold' })).toMatchObject({
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
    expect(decide(slow, { unreadyMs: 9_999 })).toMatchObject({ type: 'wait' })
    expect(decide(slow, { unreadyMs: 10_000 })).toMatchObject({ type: 'fail', code: 'ROLLOUT_DEADLINE' })
  })

  it('goes back: route first, then the new slot is removed, then it is done', () => {
    const both = [old, slot('r2', [ready, ready])]
    expect(decide(snapshot(both, ['r2']), revert)).toMatchObject({
      action: { type: 'route', from: ['r2'], to: ['r1'] },
    })
    expect(decide(snapshot(both, ['r1']), revert)).toMatchObject({ action: { type: 'remove-slot', slot: 'r2' } })
    expect(decide(snapshot([old], ['r1']), revert)).toMatchObject({ type: 'done', route: ['r1'] })
  })

  it('does not go back to a slot that is not ready: it waits for it, and when its time is over what serves stays', () => {
    const both = [slot('r1', [starting, starting]), slot('r2', [ready, ready])]
    expect(decide(snapshot(both, ['r2']), revert)).toMatchObject({ type: 'wait', for: 'r1 is ready again' })
    const late = decide(snapshot(both, ['r2']), { ...revert, broughtMs: 10_000 })
    expect(late).toMatchObject({ type: 'done', route: ['r2'] })
    expect(late).toHaveProperty('short', expect.stringContaining('r1 could not be brought back'))
  })

  it('makes an old slot that is gone again before it goes back to it', () => {
    expect(decide(snapshot([slot('r2', [ready, ready])], ['r2']), revert)).toMatchObject({
      action: { type: 'ensure-slot', slot: 'r1', replicas: 2, image: { digest: 'sha256:1' } },
    })
  })

  it('serves with the new slot rather than not at all when the old one died and cannot be had', () => {
    const both = [slot('r1', [starting, starting]), slot('r2', [ready, ready])]
    expect(decide(snapshot(both, ['r1']), { ...revert, broughtMs: 10_000 })).toMatchObject({
      action: { type: 'route', to: ['r2'] },
    })
  })

  it('gives up at once when the new slot loses all its instances with the traffic on it and the old one could serve', () => {
    const seen = [old, slot('r2', [starting, starting])]
    expect(decide(snapshot(seen, ['r2']))).toMatchObject({ type: 'fail', code: 'VERIFY_FAILED' })
  })

  it('runs the task between ready and the route, once, and waits for its end', () => {
    const seen = [old, slot('r2', [ready, ready])]
    const look = (tasks: Snapshot['tasks'], part: Partial<Seen> = {}) =>
      decide(snapshot(seen, ['r1'], true, tasks), part, 'blue-green', migrating)
    expect(look([])).toMatchObject({ action: { type: 'run-once', task: 'r2-before-switch', command: ['migrate'] } })
    expect(look([], { instruction: 'hold' })).toMatchObject({ type: 'wait', for: 'someone promotes it' })
    expect(look(task('running'))).toMatchObject({ type: 'wait', for: 'r2-before-switch ends', deadlineMs: 5_000 })
    expect(look(task('running'), { taskMs: 5_000 })).toMatchObject({ type: 'fail', code: 'TASK_FAILED' })
    expect(look(task('failed', 2))).toMatchObject({
      type: 'fail',
      code: 'TASK_FAILED',
      diagnosis: { code: 'task-failed', evidence: { exitCode: 2 } },
    })
    expect(look(task('succeeded'))).toMatchObject({ action: { type: 'route', to: ['r2'] } })
    expect(look([], { taskSucceeded: true })).toMatchObject({ action: { type: 'route', to: ['r2'] } })
  })

  it('does not remove a slot that an earlier release made', () => {
    const kept = { ...slot('r2', [starting, starting]), release: 'web/production/1' }
    expect(decide(snapshot([old, kept], ['r1']), revert)).toMatchObject({ type: 'done' })
  })
})

describe('rolling', () => {
  const roll = (seen: Snapshot, part: Partial<Seen> = {}, want = wanted) => decide(seen, part, 'rolling', want)

  it('runs the task before the first new instance', () => {
    expect(roll(snapshot([old], ['r1']), {}, migrating)).toMatchObject({ action: { type: 'run-once' } })
    expect(roll(snapshot([old], ['r1'], true, task('succeeded')), {}, migrating)).toMatchObject({
      action: { type: 'ensure-slot', slot: 'r2', replicas: 1 },
    })
  })

  it('grows, shares the route, shrinks the old slot, and ends with it kept empty', () => {
    const steps: readonly (readonly [Snapshot, object])[] = [
      [snapshot([old], ['r1']), { type: 'ensure-slot', slot: 'r2', replicas: 1 }],
      [snapshot([old, slot('r2', [ready], 1)], ['r1']), { type: 'route', to: ['r1', 'r2'] }],
      [snapshot([old, slot('r2', [ready], 1)], ['r1', 'r2']), { type: 'ensure-slot', slot: 'r1', replicas: 1 }],
      [
        snapshot([slot('r1', [ready, stopping], 1), slot('r2', [ready], 1)], ['r1', 'r2']),
        { type: 'ensure-slot', slot: 'r2', replicas: 2 },
      ],
      [snapshot([slot('r1', [ready], 1), slot('r2', [ready, ready])], ['r1', 'r2']), { type: 'route', to: ['r2'] }],
      [
        snapshot([slot('r1', [ready], 1), slot('r2', [ready, ready])], ['r2']),
        { type: 'ensure-slot', slot: 'r1', replicas: 0 },
      ],
    ]
    for (const [seen, action] of steps) expect(roll(seen)).toMatchObject({ type: 'act', action })
    expect(roll(snapshot([slot('r1', [], 0), slot('r2', [ready, ready])], ['r2']))).toMatchObject({ type: 'done' })
  })

  it('holds before the first route to the new slot', () => {
    const seen = snapshot([old, slot('r2', [ready], 1)], ['r1'])
    expect(roll(seen, { instruction: 'hold' })).toMatchObject({ type: 'wait', for: 'someone promotes it' })
  })

  it('does not take old instances away while the shared route has not settled, or while it would be too few', () => {
    const both = [old, slot('r2', [ready], 1)]
    expect(roll(snapshot(both, ['r1', 'r2'], false))).toMatchObject({ type: 'wait' })
    const half = [slot('r1', [ready, starting]), slot('r2', [ready], 1)]
    expect(roll(snapshot(half, ['r1', 'r2']))).toMatchObject({ action: { slot: 'r2', replicas: 2 } })
  })

  it('waits for each new instance before the next, and starts all at once where nothing serves', () => {
    expect(roll(snapshot([old, slot('r2', [starting], 1)], ['r1']))).toMatchObject({ type: 'wait' })
    const dead = slot('r1', [starting, starting])
    expect(roll(snapshot([dead], ['r1']))).toMatchObject({ action: { slot: 'r2', replicas: 2 } })
  })

  it('brings back a slot that is kept empty', () => {
    const kept = slot('r2', [], 0)
    expect(roll(snapshot([old, kept], ['r1']))).toMatchObject({ action: { slot: 'r2', replicas: 1 } })
  })

  it('goes back by making the old slot whole before the new one loses the route', () => {
    const half = [slot('r1', [ready], 1), slot('r2', [ready], 1)]
    expect(roll(snapshot(half, ['r1', 'r2']), revert)).toMatchObject({ action: { slot: 'r1', replicas: 2 } })
    const growing = [slot('r1', [ready, starting]), slot('r2', [ready], 1)]
    expect(roll(snapshot(growing, ['r1', 'r2']), revert)).toMatchObject({ type: 'wait', for: 'r1 is ready again' })
    expect(roll(snapshot([old, slot('r2', [ready], 1)], ['r1', 'r2']), revert)).toMatchObject({
      action: { type: 'route', to: ['r1'] },
    })
  })
})

describe('recreate', () => {
  const again = (seen: Snapshot, part: Partial<Seen> = {}, want = migrating) => decide(seen, part, 'recreate', want)
  const gone = slot('r1', [], 0)

  it('closes the route, empties the old slot, runs the task, starts the new one, routes', () => {
    const succeeded = task('succeeded')
    const steps: readonly (readonly [Snapshot, object])[] = [
      [snapshot([old], ['r1']), { type: 'route', to: [] }],
      [snapshot([old], []), { type: 'ensure-slot', slot: 'r1', replicas: 0 }],
      [snapshot([gone], []), { type: 'run-once' }],
      [snapshot([gone], [], true, succeeded), { type: 'ensure-slot', slot: 'r2', replicas: 2 }],
      [snapshot([gone, slot('r2', [ready, ready])], [], true, succeeded), { type: 'route', to: ['r2'] }],
    ]
    for (const [seen, action] of steps) expect(again(seen)).toMatchObject({ type: 'act', action })
    expect(again(snapshot([gone, slot('r2', [ready, ready])], ['r2'], true, succeeded))).toMatchObject({ type: 'done' })
  })

  it('waits until the last old instance is gone, and not for ever', () => {
    const last = snapshot([slot('r1', [stopping], 0)], [])
    expect(again(last)).toMatchObject({ type: 'wait', for: 'the instances of r1 are gone' })
    expect(again(last, { unchangedMs: 31_000 })).toMatchObject({ type: 'fail', code: 'ROLLOUT_DEADLINE' })
  })

  it('holds before it closes the route, and not while it is closed', () => {
    expect(again(snapshot([old], ['r1']), { instruction: 'hold' })).toMatchObject({ type: 'wait' })
    expect(again(snapshot([gone], []), { instruction: 'hold' })).toMatchObject({ action: { type: 'run-once' } })
  })

  it('goes back with the new instances gone first: ensure, ready, route, remove', () => {
    const steps: readonly (readonly [Snapshot, object])[] = [
      [snapshot([gone, slot('r2', [ready, ready])], ['r2']), { type: 'route', to: [] }],
      [snapshot([gone, slot('r2', [ready, ready])], []), { type: 'ensure-slot', slot: 'r2', replicas: 0 }],
      [snapshot([gone, slot('r2', [], 0)], []), { type: 'ensure-slot', slot: 'r1', replicas: 2 }],
      [snapshot([old, slot('r2', [], 0)], []), { type: 'route', to: ['r1'] }],
      [snapshot([old, slot('r2', [], 0)], ['r1']), { type: 'remove-slot', slot: 'r2' }],
    ]
    for (const [seen, action] of steps) expect(again(seen, revert)).toMatchObject({ type: 'act', action })
    expect(again(snapshot([old], ['r1']), revert)).toMatchObject({ type: 'done', route: ['r1'] })
  })

  it('removes the task of a slot that never was', () => {
    expect(again(snapshot([old], ['r1'], true, task('failed')), revert)).toMatchObject({
      action: { type: 'remove-slot', slot: 'r2' },
    })
  })
})

describe('scale', () => {
  const three: Wanted = { ...wantedSlot(1), ...limits(), replicas: 3, replaces: wantedSlot(1) }
  const rescale = (seen: Snapshot, part: Partial<Seen> = {}, want = three) => decide(seen, part, 'scale', want)

  it('orders the routed slot once more, and is done when as many are ready', () => {
    expect(rescale(snapshot([old], ['r1']))).toMatchObject({ action: { type: 'ensure-slot', slot: 'r1', replicas: 3 } })
    expect(rescale(snapshot([slot('r1', [ready, ready, starting], 3)], ['r1']))).toMatchObject({
      type: 'wait',
      ready: 2,
    })
    expect(rescale(snapshot([slot('r1', [ready, ready, ready], 3)], ['r1']))).toMatchObject({ type: 'done' })
  })

  it('refuses nothing at all, and a slot that does not serve any more', () => {
    expect(rescale(snapshot([old], ['r1']), {}, { ...three, replicas: 0 })).toMatchObject({ type: 'fail' })
    expect(rescale(snapshot([old, slot('r2', [ready])], ['r2']))).toMatchObject({ type: 'fail', code: 'CONFLICT' })
  })

  it('goes back to as many as there were', () => {
    expect(rescale(snapshot([slot('r1', [ready, ready, starting], 3)], ['r1']), revert)).toMatchObject({
      action: { slot: 'r1', replicas: 2 },
    })
  })
})

describe('remove', () => {
  const away = (seen: Snapshot, part: Partial<Seen> = {}) =>
    decide(seen, part, 'remove', { ...wantedSlot(1), ...limits(), replaces: wantedSlot(1) })

  it('closes the route, removes every slot, the one that served last, then the target', () => {
    const kept = slot('r0', [], 0)
    expect(away(snapshot([old, kept], ['r1']))).toMatchObject({ action: { type: 'route', to: [] } })
    expect(away(snapshot([old, kept], []))).toMatchObject({ action: { type: 'remove-slot', slot: 'r0' } })
    expect(away(snapshot([old], []))).toMatchObject({ action: { type: 'remove-slot', slot: 'r1' } })
    expect(away(snapshot([], []))).toMatchObject({ action: { type: 'remove-target' } })
    expect(away({ ...snapshot([], []), fence: 0 })).toMatchObject({ type: 'done', route: [] })
  })

  it('opens the route again when it goes back and there is something to open it to', () => {
    expect(away(snapshot([old], []), revert)).toMatchObject({ action: { type: 'route', to: ['r1'] } })
    expect(away(snapshot([], []), revert)).toMatchObject({ type: 'done' })
  })
})

function limits(): Pick<Wanted, 'beforeSwitch' | 'readyWithinMs' | 'tolerance'> {
  const { beforeSwitch, readyWithinMs, tolerance } = wanted
  return { beforeSwitch, readyWithinMs, tolerance }
}

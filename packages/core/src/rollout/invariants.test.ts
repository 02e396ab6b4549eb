import { describe, expect, it } from 'vitest'
import type { Action } from '../contracts/v1/actions.js'
import type { SlotState, Snapshot } from '../contracts/v1/snapshot.js'
import { guard } from './invariants.js'
import type { Procedure, SlotWanted, Wanted } from './types.js'

const spec = {
  env: {},
  port: 3000,
  health: { type: 'tcp', intervalMs: 1_000, timeoutMs: 1_000 },
  volumes: [],
  resources: { requests: {}, limits: {} },
  stopGraceMs: 1_000,
} as const
const image = { digest: 'sha256:1', name: 'web:1', pull: 'memory.test/web@sha256:1' }
const slotWanted = (slot: string): SlotWanted => ({ slot, release: slot, image, spec, replicas: 2 })
const wanted: Wanted = {
  ...slotWanted('r2'),
  replaces: slotWanted('r1'),
  beforeSwitch: undefined,
  readyWithinMs: 1,
  tolerance: { restarts: 1, silenceMs: 1 },
}

/** `r1: 2` = a slot with two instances that are ready; `r1: 0` = two that are not. */
function snapshot(ready: Readonly<Record<string, number>>, route: readonly string[]): Snapshot {
  const slots = Object.entries(ready).map(([id, count]): SlotState => {
    const instances = [0, 1].map((index) => ({
      id: `${id}-${index}`,
      phase: 'running' as const,
      ready: index < count,
      restarts: 0,
    }))
    return { id, release: id, digest: '', replicas: 2, instances }
  })
  return { revision: '1', fence: 1, slots, tasks: [], route: { slots: route, settled: true, addresses: [] } }
}

const route = (...to: string[]): Action => ({ type: 'route', revision: '1', from: [], to })
const remove = (slot: string): Action => ({ type: 'remove-slot', revision: '1', slot })
const ensure = (slot: string, replicas: number): Action => ({
  ...slotWanted(slot),
  type: 'ensure-slot',
  revision: '1',
  replicas,
})
const task: Action = { ...slotWanted('r2'), type: 'run-once', revision: '1', task: 't', command: ['x'] }

const refused: readonly (readonly [string, Procedure, Action, Snapshot])[] = [
  ['a route to a slot that is not ready', 'blue-green', route('r2'), snapshot({ r1: 2, r2: 0 }, ['r1'])],
  ['a route to a slot that is not there', 'blue-green', route('r3'), snapshot({ r1: 2 }, ['r1'])],
  ['a route to nothing', 'blue-green', route(), snapshot({ r1: 2 }, ['r1'])],
  ['a route by scale', 'scale', route('r1'), snapshot({ r1: 2 }, ['r1'])],
  ['the removal of what carries traffic', 'blue-green', remove('r1'), snapshot({ r1: 2, r2: 2 }, ['r1'])],
  ['the removal of what carries traffic, also by remove', 'remove', remove('r1'), snapshot({ r1: 2 }, ['r1'])],
  ['the removal of the only healthy copy', 'rolling', remove('r2'), snapshot({ r1: 0, r2: 1 }, ['r1'])],
  ['emptying what carries traffic', 'recreate', ensure('r1', 0), snapshot({ r1: 2, r2: 2 }, ['r1'])],
  ['emptying the only healthy copy', 'rolling', ensure('r1', 0), snapshot({ r1: 1, r2: 0 }, ['r2'])],
  [
    'fewer ready ones than wanted in a rolling update',
    'rolling',
    ensure('r1', 1),
    snapshot({ r1: 2, r2: 0 }, ['r1', 'r2']),
  ],
  ['an order for a slot that is none of its business', 'blue-green', ensure('r0', 1), snapshot({ r1: 2 }, ['r1'])],
  ['a task that nobody wants', 'blue-green', task, snapshot({ r1: 2 }, ['r1'])],
  ['the removal of a target in use', 'remove', { type: 'remove-target', revision: '1' }, snapshot({ r1: 2 }, [])],
]

const allowed: readonly (readonly [string, Procedure, Action, Snapshot])[] = [
  ['to close the route', 'recreate', route(), snapshot({ r1: 2 }, ['r1'])],
  ['to empty the only healthy copy', 'recreate', ensure('r1', 0), snapshot({ r1: 2 }, [])],
  ['to remove the only healthy copy', 'remove', remove('r1'), snapshot({ r1: 2 }, [])],
  [
    'to take an old instance that is ready too many',
    'rolling',
    ensure('r1', 1),
    snapshot({ r1: 2, r2: 1 }, ['r1', 'r2']),
  ],
]

describe('the invariants', () => {
  it.each(refused)('refuse %s', (_, procedure, action, seen) => {
    expect(() => guard(procedure, action, seen, wanted)).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
  })

  it.each(allowed)('allow %s where that is what the procedure is for (%s)', (_, procedure, action, seen) => {
    expect(() => guard(procedure, action, seen, wanted)).not.toThrow()
  })

  it('let what a first deployment made go while it does not serve', () => {
    const first: Wanted = { ...wanted, replaces: undefined }
    expect(() => guard('blue-green', remove('r2'), snapshot({ r2: 2 }, []), first)).not.toThrow()
  })
})

import { describe, expect, it } from 'vitest'
import type { OrderedSlot } from './api.js'
import { claimed, needsLaunch, ordered } from './orders.js'
import { emptyState, type State } from './state.js'

const front = { publish: { protocol: 'http', address: '127.0.0.1', port: 0 }, port: 4711 } as const
const health = { type: 'tcp', intervalMs: 1000, timeoutMs: 1000 } as const

function slot(id: string, more: Partial<OrderedSlot> = {}): OrderedSlot {
  return {
    type: 'ensure-slot',
    revision: '1',
    slot: id,
    release: 'r',
    digest: 'sha256:1',
    replicas: 1,
    fingerprint: 'f',
    health,
    stopGraceMs: 1,
    launch: {
      root: { form: 'directory', path: '/r', made: '/made' },
      argv: ['a'],
      env: { PASSWORD: 'hunter2' },
      workingDirectory: '/',
      user: { uid: 0, gid: 0 },
      stopSignal: 'SIGTERM',
      network: { kind: 'host', port: 3000 },
      mounts: [],
    },
    ...more,
  }
}

const claimedOnce = claimed(emptyState, 5, front)
const withSlots = (...ids: readonly string[]): State =>
  ids.reduce((state, id) => ordered(state, slot(id, { revision: String(state.revision) }), 5), claimedOnce)

describe('claims', () => {
  it('move the revision, but not when they are made again', () => {
    expect(claimedOnce).toMatchObject({ fence: 5, revision: 1, front })
    expect(claimed(claimedOnce, 5, front)).toBe(claimedOnce)
  })

  it('are refused when a newer token is there', () => {
    expect(() => claimed(claimedOnce, 4, front)).toThrow(expect.objectContaining({ code: 'FENCED', effect: 'none' }))
  })
})

describe('orders', () => {
  it('are refused with an older token, whatever the revision', () => {
    expect(() => ordered(claimedOnce, slot('a'), 4)).toThrow(expect.objectContaining({ code: 'FENCED' }))
  })

  it('are refused when the revision has moved', () => {
    const refusal = expect.objectContaining({ code: 'CONFLICT', effect: 'none' })
    expect(() => ordered(claimedOnce, slot('a', { revision: '0' }), 5)).toThrow(refusal)
  })

  it('leave a slot with the same spec as it is', () => {
    const state = withSlots('a')
    expect(ordered(state, slot('a', { revision: '2' }), 5)).toBe(state)
    expect(ordered(state, slot('a', { revision: '2', replicas: 3 }), 5)).toMatchObject({
      revision: 3,
      slots: [{ id: 'a', replicas: 3 }],
    })
  })

  it('start a slot anew of which only the order is known', () => {
    const state = withSlots('a')
    const again = slot('a', { revision: '2' })
    expect(needsLaunch(state, again, 5)).toBe(false)
    expect(needsLaunch(state, again, 5, new Set(['a']))).toBe(true)
    const next = ordered(state, again, 5, new Set(['a']))
    expect(next).toMatchObject({ revision: 3, slots: [{ id: 'a' }] })
  })

  it('replace a slot with another spec unless it carries traffic', () => {
    const state = withSlots('a')
    const other = slot('a', { revision: '2', fingerprint: 'g' })
    expect(ordered(state, other, 5).slots).toMatchObject([{ id: 'a', fingerprint: 'g' }])
    expect(() => ordered({ ...state, route: ['a'] }, other, 5)).toThrow(/another spec/)
  })

  it('move the route only from where it is, and only to what is there', () => {
    const state = { ...withSlots('a', 'b'), route: ['a'] }
    const route = { type: 'route', revision: '3' } as const
    expect(ordered(state, { ...route, from: ['a'], to: ['b'] }, 5).route).toEqual(['b'])
    expect(() => ordered(state, { ...route, from: [], to: ['b'] }, 5)).toThrow(
      expect.objectContaining({ code: 'CONFLICT' }),
    )
    expect(() => ordered(state, { ...route, from: ['a'], to: ['c'] }, 5)).toThrow(/no slot c/)
  })

  it('never remove what carries traffic', () => {
    const state = { ...withSlots('a', 'b'), route: ['a'] }
    const remove = { type: 'remove-slot', revision: '3' } as const
    expect(() => ordered(state, { ...remove, slot: 'a' }, 5)).toThrow(
      expect.objectContaining({ code: 'RUNTIME_FAILED', effect: 'none', retryable: false }),
    )
    expect(ordered(state, { ...remove, slot: 'b' }, 5).slots).toMatchObject([{ id: 'a' }])
    expect(ordered(state, { ...remove, slot: 'unknown' }, 5)).toBe(state)
  })

  it('run a command under a name once, and forget it with its slot', () => {
    const run = (revision: string, launch = slot('a').launch) =>
      ({ type: 'run-once', revision, task: 't', slot: 'a', stopGraceMs: 1, launch }) as const
    const state = ordered(claimedOnce, run('1'), 5)
    expect(state).toMatchObject({ revision: 2, tasks: [{ id: 't', slot: 'a' }] })
    expect(ordered(state, run('2'), 5)).toBe(state)
    expect(needsLaunch(state, run('2', undefined), 5)).toBe(false)
    expect(ordered(state, { type: 'remove-slot', revision: '2', slot: 'a' }, 5).tasks).toEqual([])
  })

  it('remove the target only when it is empty, and then all of it but the revision', () => {
    const remove = (state: State) => ordered(state, { type: 'remove-target', revision: String(state.revision) }, 5)
    expect(() => remove(withSlots('a'))).toThrow(/slot a is still there/)
    const order = { id: 't', slot: 'a', stopGraceMs: 1, root: { form: 'directory', path: '/r', made: '/m' } } as const
    expect(() => remove({ ...claimedOnce, tasks: [order] })).toThrow(/task t still runs/)
    const empty = remove({ ...claimedOnce, tasks: [{ ...order, outcome: { phase: 'failed' } }] })
    expect(empty).toEqual({ ...emptyState, revision: 2 })
    expect(remove(empty)).toBe(empty)
    expect(claimed(empty, 1, front)).toMatchObject({ fence: 1, revision: 3 })
  })

  it('keep no environment', () => {
    expect(JSON.stringify(withSlots('a'))).not.toContain('hunter2')
  })
})

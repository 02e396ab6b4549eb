import type { Snapshot } from '@kiwi/core'
import type { V1EndpointSlice } from '@kubernetes/client-node'
import { expect, test } from 'vitest'
import { settling } from './settling.js'

const start = Date.parse('2026-11-23T12:00:00Z')

test('a route is settled only when its endpoints have agreed for long enough, and says when to look again', () => {
  let now = start
  const look = settling(2000, { now: () => now })
  const settled = (slot: string, agree: boolean) => {
    const { snapshot, againInMs } = look(seen(slot, agree), [slice('2026-11-23T12:00:00Z')])
    return [snapshot.route.settled, againInMs]
  }
  expect(settled('one', true)).toEqual([false, 2000])
  now += 1500
  expect(settled('one', true)).toEqual([false, 500])
  now += 500
  expect(settled('one', true)).toEqual([true, undefined])
  expect(settled('two', true)).toEqual([false, 2000])
  now += 1000
  expect(settled('two', false)).toEqual([false, undefined])
  now += 1000
  expect(settled('two', true)).toEqual([false, 2000])
})

test('a route that has long been so is settled at the first look, and one to nothing that was never another', () => {
  const first = (slot: string, written: string, generation = 1) =>
    settling(2000, { now: () => start })(seen(slot, true), [slice(written, generation)]).snapshot.route.settled
  expect(first('one', '2026-11-23T11:59:00Z')).toBe(true)
  expect(first('one', '2026-11-23T11:59:50Z')).toBe(false)
  expect(first('', '2026-11-23T12:00:00Z')).toBe(true)
})

test('a route that was closed is settled no sooner than one that was moved', () => {
  let now = start
  const look = settling(2000, { now: () => now })
  const settled = () => look(seen('', true), [slice('2026-11-23T12:00:00Z', 4)]).snapshot.route.settled
  expect(settled()).toBe(false)
  now += 2000
  expect(settled()).toBe(true)
})

function seen(slot: string, settled: boolean): Snapshot {
  const slots = slot === '' ? [] : [slot]
  return { revision: 'r', fence: 1, slots: [], tasks: [], route: { slots, settled, addresses: [] } }
}

function slice(time: string, generation = 4): V1EndpointSlice {
  const managedFields = JSON.parse(JSON.stringify([{ manager: 'kube-controller-manager', time }]))
  return { addressType: 'IPv4', endpoints: [], metadata: { generation, managedFields } }
}

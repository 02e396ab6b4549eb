import { expect, it } from 'vitest'
import { checkKindOf, edgeConfig } from './config.js'
import { addressing, lanes, laneWidth } from './places.js'

it('gives every instance of every lane an address of its own', () => {
  const { edge, of } = addressing('10.246.3.0/24')
  const all = [edge, '10.246.3.1']
  for (let lane = 1; lane <= lanes; lane += 1)
    for (let index = 1; index <= laneWidth; index += 1) all.push(of(lane, index))
  expect(new Set(all).size).toBe(lanes * laneWidth + 2)
  expect(all.every((address) => /^10\.246\.3\.\d+$/.test(address) && Number(address.split('.')[3]) < 255)).toBe(true)
})

it('refuses a network that has no room', () => {
  expect(() => addressing('10.0.0.0/28')).toThrow('too small')
  expect(() => addressing('fd00::/64')).toThrow('too small')
})

it('lists every server switched off, in a backend for each lane and kind of check', () => {
  const text = edgeConfig('http', addressing('10.246.3.0/24').of)
  expect(text.match(/^backend (quick|normal|slow|tcp)\d$/gm)).toHaveLength(4 * lanes)
  expect(text.match(/^ {2}server s\d+ 10\.246\.3\.\d+:1$/gm)).toHaveLength(4 * lanes * laneWidth)
  expect(text).not.toMatch(/mode tcp/)
  expect(edgeConfig('tcp', () => '10.0.0.1')).not.toMatch(/mode http/)
})

it.each([
  [{ type: 'http', timeoutMs: 1_000 }, 'quick'],
  [{ type: 'http', timeoutMs: 3_000 }, 'normal'],
  [{ type: 'http', timeoutMs: 20_000 }, 'slow'],
  [{ type: 'tcp', timeoutMs: 20_000 }, 'tcp'],
] as const)('checks with at least the patience asked for: %o', (health, kind) => {
  expect(checkKindOf({ ...health, intervalMs: 1_000 })).toBe(kind)
})

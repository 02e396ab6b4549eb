import { expect, it } from 'vitest'
import { seatsFor } from './ensure.js'

const lane = { seats: [1, 2, 4] }

it('keeps every instance that is there when a slot grows', () => {
  expect(seatsFor(lane, 5, [2])).toEqual([1, 2, 3, 4, 5])
  expect(seatsFor({ seats: [] }, 2, [])).toEqual([1, 2])
})

it('lets those go first that are not ready, then the highest', () => {
  expect(seatsFor(lane, 2, [2, 4])).toEqual([2, 4])
  expect(seatsFor(lane, 1, [2, 4])).toEqual([2])
  expect(seatsFor(lane, 2, [1, 2, 4])).toEqual([1, 2])
  expect(seatsFor(lane, 0, [1, 2, 4])).toEqual([])
})

import { describe, expect, it } from 'vitest'
import { upcast, type WrittenEvent } from './upcast.js'

const stamp = { runId: 'a', seq: 1, at: 1 }

/** As if `log` had been called `line` in version -1 and its stream had had no name in version 0. */
const from = {
  [-1]: (event: WrittenEvent) => ({ ...event, type: event.type === 'line' ? 'log' : String(event.type) }),
  0: (event: WrittenEvent) => ({ ...event, stream: 'out' }),
}

describe('an event', () => {
  it('of this version is read as it is', () => {
    const event = { ...stamp, v: 1, type: 'log', stream: 'out', text: 'x' }
    expect(upcast(event)).toBe(event)
  })

  it('of an older version is brought up step by step', () => {
    const today = { ...stamp, v: 1, type: 'log', stream: 'out', text: 'x' }
    expect(upcast({ ...stamp, v: 0, type: 'log', text: 'x' }, { from })).toEqual(today)
    expect(upcast({ ...stamp, v: -1, type: 'line', text: 'x' }, { from })).toEqual(today)
  })

  it('of a version that nobody knows is refused, not guessed at', () => {
    const refusal = expect.objectContaining({ code: 'STORE_FAILED' })
    expect(() => upcast({ ...stamp, v: 2, type: 'log' })).toThrow(refusal)
    expect(() => upcast({ ...stamp, v: -2, type: 'log' }, { from })).toThrow(refusal)
  })
})

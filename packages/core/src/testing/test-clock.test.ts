import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { testClock } from './test-clock.js'

const { signal } = new AbortController()

describe('a clock that is moved by hand', () => {
  it('wakes sleepers in the order of their times, those of one time in the order they came', async () => {
    const clock = testClock({ at: 0 })
    const woken: string[] = []
    const sleeper = async (name: string, ms: number) => {
      await clock.sleep(ms, signal)
      woken.push(`${name} ${clock.now()}`)
    }
    const all = [sleeper('c', 30), sleeper('a', 10), sleeper('b', 10)]
    await clock.advance(20)
    expect(woken).toEqual(['a 10', 'b 10'])
    expect([clock.now(), clock.sleeping]).toEqual([20, 1])
    await clock.advance(10)
    await Promise.all(all)
    expect(woken).toEqual(['a 10', 'b 10', 'c 30'])
  })

  it('lets what a sleeper does settle before the next wakes, also when that sleeps again or reads a file', async () => {
    const clock = testClock({ at: 0 })
    const seen: string[] = []
    const working = async () => {
      await clock.sleep(5, signal)
      await readFile(import.meta.filename)
      seen.push(`read ${clock.now()}`)
      await clock.sleep(5, signal)
      seen.push(`again ${clock.now()}`)
    }
    const other = clock.sleep(20, signal).then(() => seen.push(`other ${clock.now()}`))
    const work = working()
    await clock.advance(25)
    await Promise.all([work, other])
    expect(seen).toEqual(['read 5', 'again 10', 'other 20'])
  })

  it('rejects with the reason of the signal, and forgets the sleeper', async () => {
    const clock = testClock()
    const stop = new AbortController()
    const sleep = clock.sleep(1_000, stop.signal)
    stop.abort(new Error('enough'))
    await expect(sleep).rejects.toThrow('enough')
    await expect(clock.sleep(1, stop.signal)).rejects.toThrow('enough')
    expect(clock.sleeping).toBe(0)
  })
})

describe('a clock that advances by itself', () => {
  it('takes no real time for hours', async () => {
    const clock = testClock({ at: 0, autoAdvance: true })
    for (let index = 0; index < 1_000; index++) await clock.sleep(60_000, signal)
    expect(clock.now()).toBe(60_000_000) // 16 hours: the test would not live to see it
  })

  it('stands still while a process runs', async () => {
    const clock = testClock({ at: 0, autoAdvance: true })
    const deadline = clock.sleep(600_000, signal).then(() => 'late')
    const work = promisify(execFile)(process.execPath, ['-e', 'setTimeout(() => {}, 200)']).then(() => 'in time')
    expect(await Promise.race([deadline, work])).toBe('in time')
  })

  it('stands still during a short delay by the machine’s clock, and does not wait for a long one', async () => {
    const patient = testClock({ at: 0, autoAdvance: true, patienceMs: 10_000 })
    const delay = new Promise((resolve) => setTimeout(resolve, 50)).then(() => 'delay')
    expect(await Promise.race([patient.sleep(1_000, signal).then(() => 'sleep'), delay])).toBe('delay')
    const impatient = testClock({ at: 0, autoAdvance: true, patienceMs: 20 })
    const long = setTimeout(() => {}, 60_000)
    await impatient.sleep(1_000, signal)
    clearTimeout(long)
  })

  it('stands still when it is told to', async () => {
    const clock = testClock({ at: 0, autoAdvance: true })
    clock.autoAdvance = false
    void clock.sleep(5, signal)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(clock.now()).toBe(0)
    clock.autoAdvance = true
    await expect.poll(() => clock.now()).toBe(5)
  })
})

import assert from 'node:assert/strict'
import type { Clock } from '../../contracts/v1/clock.js'
import type { KitCase } from './kit.js'

export interface ClockKitOptions {
  clock(): Clock
  /** Lets so much time pass, for a clock that does not go by itself. */
  readonly advance?: ((clock: Clock, milliseconds: number) => Promise<void>) | undefined
}

/** What every clock keeps of its contract. Takes a tenth of a second of a clock that goes by itself. */
export function clockKit(options: ClockKitOptions): readonly KitCase[] {
  const one = (name: string, check: (clock: Clock) => Promise<void>): KitCase => ({
    name,
    run: () => check(options.clock()),
  })
  const { signal } = new AbortController()
  const pass = async (clock: Clock, milliseconds: number) => options.advance?.(clock, milliseconds)
  return [
    one('tells milliseconds since 1970, and never goes back', async (clock) => {
      const first = clock.now()
      assert.ok(first > Date.UTC(2020) && first < Date.UTC(2100), `${first} is no time of these days`)
      const sleep = clock.sleep(5, signal)
      await pass(clock, 5)
      await sleep
      assert.ok(clock.now() >= first)
    }),
    one('sleeps as long as it was told, by its own time', async (clock) => {
      const start = clock.now()
      const sleep = clock.sleep(30, signal)
      await pass(clock, 30)
      await sleep
      assert.ok(clock.now() - start >= 29, `it slept ${clock.now() - start} ms, not 30`)
    }),
    one('wakes the one first that has to sleep less', async (clock) => {
      const order: number[] = []
      const sleeps = [40, 10].map((ms) => clock.sleep(ms, signal).then(() => order.push(ms)))
      await pass(clock, 40)
      await Promise.all(sleeps)
      assert.deepEqual(order, [10, 40])
    }),
    one('wakes at once with the signal’s reason', async (clock) => {
      const stop = new AbortController()
      const reason = new Error('it was enough')
      const sleep = clock.sleep(86_400_000, stop.signal)
      stop.abort(reason)
      await assert.rejects(sleep, reason)
    }),
    one('does not fall asleep when the signal has fired', async (clock) => {
      const reason = new Error('it was enough')
      await assert.rejects(clock.sleep(86_400_000, AbortSignal.abort(reason)), reason)
    }),
  ]
}

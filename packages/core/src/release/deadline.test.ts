import { expect, it } from 'vitest'
import { KiwiError } from '../errors/kiwi-error.js'
import { testClock } from '../testing/test-clock.js'
import { withinTime } from './deadline.js'

const late = new KiwiError('REGISTRY_UNREACHABLE', 'it took too long')

it('resolves with what the work gives in time, and waits for nothing more', async () => {
  const clock = testClock()
  const { signal } = new AbortController()
  await expect(withinTime({ clock, signal }, { timeoutMs: 1_000, late }, async () => 'done')).resolves.toBe('done')
})

it('rejects when the time is over, also where the work does not listen to its signal', async () => {
  const clock = testClock()
  let told: AbortSignal | undefined
  const waiting = withinTime({ clock, signal: new AbortController().signal }, { timeoutMs: 1_000, late }, (signal) => {
    told = signal
    return new Promise(() => {})
  })
  waiting.catch(() => undefined)
  await clock.advance(1_001)
  await expect(waiting).rejects.toBe(late)
  expect(told?.reason).toBe(late)
})

it('tells the work of a cancel at once', async () => {
  const clock = testClock()
  const cancel = new AbortController()
  const stopped = new Error('cancelled')
  const waiting = withinTime(
    { clock, signal: cancel.signal },
    { timeoutMs: 1_000, late },
    (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  )
  cancel.abort(stopped)
  await expect(waiting).rejects.toBe(stopped)
})

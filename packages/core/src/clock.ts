import { setTimeout as wait } from 'node:timers/promises'
import type { Clock } from './contracts/v1/clock.js'

/** The clock of this machine: the only place in core that asks for the time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(milliseconds, signal) {
    signal.throwIfAborted()
    await wait(Math.max(0, milliseconds), undefined, { signal }).catch(() => signal.throwIfAborted())
  },
}

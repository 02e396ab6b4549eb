import type { Clock } from '../contracts/v1/clock.js'

/** Wakes one who waits: at once when it is rung, else after a while. A ring that nobody waited for is not lost. */
export interface Bell {
  ring(): void
  /** Resolves when it is rung, was rung since the last wait, the signal fires, or about after `withinMs`; never rejects. */
  wait(withinMs: number): Promise<void>
}

/** The sleep goes on when the bell was rung meanwhile and serves the next wait: thousands of waits a second cost next to nothing. */
export function bell(clock: Clock, signal: AbortSignal): Bell {
  let rung = false
  let asleep = false
  let wake: (() => void) | undefined
  const ring = () => {
    rung = true
    wake?.()
  }
  const sleep = async (milliseconds: number) => {
    asleep = true
    await clock.sleep(milliseconds, signal).catch(() => undefined)
    asleep = false
    ring()
  }
  return {
    ring,
    async wait(withinMs) {
      if (!rung && !signal.aborted) {
        if (!asleep) void sleep(withinMs)
        await new Promise<void>((resolve) => (wake = resolve))
        wake = undefined
      }
      rung = false
    },
  }
}

import type { KiwiError } from '../errors/kiwi-error.js'

/** An engine that is being restarted is back within this time; a state that moves before every write has a second owner. */
const patienceMs = 60_000

/** Tells passing trouble from lasting: the state moved, nobody knows whether a write took effect, or the runtime cannot be reached for a while. */
export interface TroubleTimer {
  over(): void
  mayPass(error: KiwiError): boolean
}

export function troubleTimer(now: () => number): TroubleTimer {
  let since: number | undefined
  return {
    over() {
      since = undefined
    },
    mayPass(error) {
      since ??= now()
      return error.retryable && now() - since < patienceMs
    },
  }
}

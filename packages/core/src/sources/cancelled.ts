import { KiwiError } from '../errors/kiwi-error.js'

/** The error for work that a signal stopped: the signal's own reason where that is a KiwiError (a lost lease), else `CANCELLED`. */
export function cancelled(signal: AbortSignal): KiwiError {
  if (KiwiError.is(signal.reason)) return signal.reason
  return new KiwiError('CANCELLED', 'stopped before it was finished', { cause: signal.reason })
}

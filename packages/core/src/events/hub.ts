import { EventEmitter } from 'eventemitter3'
import type { KiwiError } from '../errors/kiwi-error.js'
import type { KiwiEvent } from './event.js'

/** Carries events from the run that makes them to the listeners in this process; what was missed is read from the store. */
export interface Hub {
  publish(event: KiwiEvent): void
  /** Tells the followers that this process cannot work on the run any more, and why (the store failed, say). */
  fail(runId: string, error: KiwiError): void
  /** Calls back for everything about a run until the returned function is called. */
  subscribe(runId: string, listener: (news: KiwiEvent | KiwiError) => void): () => void
}

export function createHub(): Hub {
  const emitter = new EventEmitter<Record<string, [KiwiEvent | KiwiError]>>()
  return {
    publish: (event) => void emitter.emit(event.runId, event),
    fail: (runId, error) => void emitter.emit(runId, error),
    subscribe(runId, listener) {
      emitter.on(runId, listener)
      return () => void emitter.off(runId, listener)
    },
  }
}

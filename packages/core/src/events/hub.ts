import { EventEmitter } from 'eventemitter3'
import type { KiwiEvent } from './event.js'

/** Carries events from the run that makes them to the listeners in this process; what was missed is read from the store. */
export interface Hub {
  publish(event: KiwiEvent): void
  /** Calls back for every event of a run until the returned function is called. */
  subscribe(runId: string, listener: (event: KiwiEvent) => void): () => void
}

export function createHub(): Hub {
  const emitter = new EventEmitter<Record<string, [KiwiEvent]>>()
  return {
    publish: (event) => void emitter.emit(event.runId, event),
    subscribe(runId, listener) {
      emitter.on(runId, listener)
      return () => void emitter.off(runId, listener)
    },
  }
}

import { EventEmitter } from 'eventemitter3'
import type { KiwiError } from '../errors/kiwi-error.js'
import type { KiwiEvent } from './event.js'

/** Carries events from the run that makes them to the listeners in this process; what was missed is read from the store. */
export interface Hub {
  publish(event: KiwiEvent): void
  /** Tells the followers that this process cannot work on the run any more, and why (the store failed, say). */
  fail(runId: string, error: KiwiError): void
  /** Until the returned function is called, this process works on the run: what it does is published here. */
  workOn(runId: string): () => void
  isWorkedOn(runId: string): boolean
  /** A command was given to the run in this process: whoever waits for one looks now. */
  nudge(runId: string): void
  /** Calls back for everything about a run until the returned function is called. */
  subscribe(runId: string, listener: (news: KiwiEvent | KiwiError) => void): () => void
  /** Calls back when a command was given to the run. */
  onNudge(runId: string, listener: () => void): () => void
  /** Calls back after every stored event of any run. */
  subscribeAll(listener: () => void): () => void
}

export function createHub(): Hub {
  const runs = new EventEmitter<Record<string, [KiwiEvent | KiwiError]>>()
  const nudges = new EventEmitter<Record<string, []>>()
  const everything = new EventEmitter<{ stored: [] }>()
  const worked = new Set<string>()
  return {
    publish(event) {
      runs.emit(event.runId, event)
      if (event.seq !== undefined) everything.emit('stored')
    },
    fail: (runId, error) => void runs.emit(runId, error),
    workOn(runId) {
      worked.add(runId)
      return () => void worked.delete(runId)
    },
    isWorkedOn: (runId) => worked.has(runId),
    nudge(runId) {
      nudges.emit(runId)
      everything.emit('stored')
    },
    subscribe(runId, listener) {
      runs.on(runId, listener)
      return () => void runs.off(runId, listener)
    },
    onNudge(runId, listener) {
      nudges.on(runId, listener)
      return () => void nudges.off(runId, listener)
    },
    subscribeAll(listener) {
      everything.on('stored', listener)
      return () => void everything.off('stored', listener)
    },
  }
}

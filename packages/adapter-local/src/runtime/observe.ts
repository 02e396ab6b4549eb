import { setTimeout as sleep } from 'node:timers/promises'
import { KiwiError, type Snapshot } from '@kiwi/core'
import type { SnapshotAnswer } from '../supervisor/api.js'
import { loadState, type State } from '../supervisor/state.js'
import { ask, askIfThere } from './connect.js'
import { atRest } from './facts.js'

const restingPollMs = 200

/**
 * Whole states, from the supervisor while one runs. One that ought to run and does not is started; where nothing is ordered, none is.
 * Ends quietly when the signal fires.
 */
export async function* observe(
  directory: string,
  supervisorPath: string,
  signal: AbortSignal,
): AsyncGenerator<Snapshot> {
  let seen: string | undefined
  while (!signal.aborted) {
    const answer = await quietly(signal, () => look(directory, supervisorPath, seen, signal))
    if (answer === undefined) return
    if (answer.change !== seen) yield answer.snapshot
    seen = answer.change
  }
}

async function look(
  directory: string,
  supervisorPath: string,
  seen: string | undefined,
  signal: AbortSignal,
): Promise<SnapshotAnswer> {
  const path = seen === undefined ? '/snapshot' : `/snapshot?after=${encodeURIComponent(seen)}`
  const call = { method: 'GET', path, signal } as const
  const answer = await askIfThere<SnapshotAnswer>(directory, call).catch(ignoreBreak)
  if (answer !== undefined) return answer.body
  const state = await loadState(directory)
  if (needsSupervisor(state)) return ask(directory, supervisorPath, call)
  return lookAtRest(state, seen, signal)
}

/** Something is to run, or somebody has to say how it ended. */
function needsSupervisor({ slots, tasks }: State): boolean {
  return slots.length > 0 || tasks.some(({ outcome }) => outcome === undefined)
}

/** It ended while we waited: whoever is there now tells. */
function ignoreBreak(error: unknown): undefined {
  if (!KiwiError.is(error) || error.code !== 'RUNTIME_UNREACHABLE') throw error
}

async function lookAtRest(state: State, seen: string | undefined, signal: AbortSignal): Promise<SnapshotAnswer> {
  const change = `rest-${state.revision}-${state.fence}`
  if (change === seen) await sleep(restingPollMs, undefined, { signal })
  return { change, snapshot: atRest(state) }
}

async function quietly<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
}

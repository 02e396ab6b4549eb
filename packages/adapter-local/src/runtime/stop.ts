import { setTimeout as sleep } from 'node:timers/promises'
import { loadState } from '../supervisor/state.js'
import { readWhereabouts } from '../supervisor/whereabouts.js'
import { isAlive } from './alive.js'
import { ask, askIfThere } from './connect.js'

const pollMs = 10

/** Has the supervisor stop everything and end; resolves when its process is gone. */
export async function stop(directory: string, supervisorPath: string, signal: AbortSignal): Promise<void> {
  const call = { method: 'POST', path: '/shutdown?forget=true', signal } as const
  const { slots, tasks } = await loadState(directory)
  const running = readWhereabouts(directory)
  const told = await askIfThere(directory, call)
  if (told === undefined && slots.length + tasks.length > 0) await ask(directory, supervisorPath, call) // what it left is to be forgotten
  while (running !== undefined && isAlive(running.pid)) await sleep(pollMs, undefined, { signal })
}

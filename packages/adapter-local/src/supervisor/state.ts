import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type HealthCheck, KiwiError, type Publish, type TaskState } from '@kiwi/core'
import type { Root } from './api.js'

/** What was ordered, as it lies in `state.json`. It holds no environment values and no secrets. */
export interface State {
  readonly version: 1
  readonly fence: number
  readonly revision: number
  readonly slots: readonly SlotOrder[]
  readonly tasks: readonly TaskOrder[]
  readonly route: readonly string[]
  /** Where the environment listens; told by the claim. */
  readonly front?: Front | undefined
}

export interface SlotOrder {
  readonly id: string
  readonly release: string
  readonly digest: string
  readonly fingerprint: string
  readonly replicas: number
  readonly health: HealthCheck
  readonly stopGraceMs: number
  /** Its directories must stay while the slot does. */
  readonly root: Root
}

export interface TaskOrder {
  readonly id: string
  readonly slot: string
  readonly stopGraceMs: number
  readonly root: Root
  /** How it ended. */
  readonly outcome?: TaskOutcome | undefined
}

export type TaskOutcome = Pick<TaskState, 'exitCode' | 'reason' | 'message'> & {
  readonly phase: 'succeeded' | 'failed'
}

export interface Front {
  readonly publish: Publish
  /** The port it has, where `publish.port` is 0. Kept, so that it stays the same. */
  readonly port: number
}

export const emptyState: State = { version: 1, fence: 0, revision: 0, slots: [], tasks: [], route: [] }

export async function loadState(directory: string): Promise<State> {
  const file = stateFile(directory)
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return emptyState
  try {
    return { ...emptyState, ...JSON.parse(text) } // written by saveState only, maybe before there were tasks
  } catch (cause) {
    throw new KiwiError('STATE_DIRECTORY_UNFIT', `${file} is damaged`, { cause })
  }
}

/** Resolves when the state is on the disk, whole. */
export async function saveState(directory: string, state: State): Promise<void> {
  const file = stateFile(directory)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const handle = await open(`${file}.new`, 'w', 0o600)
  try {
    await handle.writeFile(JSON.stringify(state))
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${file}.new`, file)
  await syncDirectory(dirname(file))
}

export function stateFile(directory: string): string {
  return join(directory, 'state.json')
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

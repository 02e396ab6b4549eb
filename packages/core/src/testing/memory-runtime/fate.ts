import type { InstanceState, TaskState } from '../../contracts/v1/snapshot.js'

/**
 * What becomes of an instance once it was started: it is ready; ends with code 1, again and again; runs and is never ready; can never be started; is
 * never made (`creating` for good, `Unschedulable`); or ends with a code, so many `times` and is ready afterwards (left out: for ever).
 */
export type Fate =
  | 'ready'
  | 'crashes'
  | 'never'
  | 'cannot-start'
  | 'not-made'
  | { readonly exits: number; readonly times?: number; readonly reason?: string; readonly says?: string }

/** What becomes of a command that runs once; `hangs` runs until it is removed. */
export type TaskFate =
  | 'succeeds'
  | 'fails'
  | 'hangs'
  | 'cannot-start'
  | { readonly exits: number; readonly reason?: string; readonly says?: string }

export interface Pace {
  /** From the order to the start. */
  readonly startsAfterMs: number
  /** Before an instance that ended is started again the first time; doubles each time. */
  readonly restartsAfterMs: number
}

export interface Born {
  readonly id: string
  readonly ageMs: number
  /** What it prints at a start. */
  readonly prints: string
}

export interface Life {
  readonly state: InstanceState
  /** What it printed so far, and after how many milliseconds of its life. */
  readonly lines: readonly { readonly ageMs: number; readonly text: string }[]
  /** The age at which the state changes next by itself. */
  readonly nextAgeMs?: number | undefined
}

const neverStarted = 'exec: no such file or directory'

/** An instance of that age. Nothing is remembered: the same age and fate give the same life. */
export function lifeOf(born: Born, fate: Fate, pace: Pace): Life {
  const { id, ageMs, prints } = born
  const { startsAfterMs } = pace
  const made = { id, phase: 'creating', ready: false, restarts: 0 } as const
  if (fate === 'not-made')
    return { state: { ...made, reason: 'Unschedulable', message: 'no node has room' }, lines: [] }
  if (ageMs < startsAfterMs) return { state: made, lines: [], nextAgeMs: startsAfterMs }
  if (fate === 'cannot-start')
    return { state: { ...made, phase: 'exited', reason: 'start-failed', message: neverStarted }, lines: [] }
  const started = { ageMs: startsAfterMs, text: prints }
  const running = { ...made, phase: 'running' } as const
  if (fate === 'ready') return { state: { ...running, ready: true }, lines: [started] }
  if (fate === 'never') return { state: { ...running, message: 'nothing listens' }, lines: [started] }
  return crashing(born, fate === 'crashes' ? { exits: 1 } : fate, pace)
}

function crashing({ id, ageMs, prints }: Born, fate: Extract<Fate, object>, pace: Pace): Life {
  const { exits, times = Number.POSITIVE_INFINITY, reason, says = 'it ended by itself' } = fate
  const lines: { ageMs: number; text: string }[] = []
  let restarts = 0
  let at = pace.startsAfterMs
  for (; restarts < times && ageMs >= at; restarts++) {
    lines.push({ ageMs: at, text: says })
    at += pace.restartsAfterMs * 2 ** restarts
  }
  const ended = { exitCode: exits, ...(reason !== undefined && { reason }) }
  if (ageMs >= at) {
    lines.push({ ageMs: at, text: prints })
    return { state: { id, phase: 'running', ready: true, restarts, ...ended }, lines }
  }
  return { state: { id, phase: 'exited', ready: false, restarts: restarts - 1, ...ended }, lines, nextAgeMs: at }
}

export interface TaskLife {
  readonly state: TaskState
  readonly lines: readonly string[]
  readonly nextAgeMs?: number | undefined
}

/** A task of that age. */
export function taskLifeOf(
  { id, slot }: { readonly id: string; readonly slot: string },
  ageMs: number,
  fate: TaskFate,
  { startsAfterMs, takesMs }: { readonly startsAfterMs: number; readonly takesMs: number },
): TaskLife {
  const endsAt = startsAfterMs + takesMs
  if (ageMs < startsAfterMs) return { state: { id, slot, phase: 'creating' }, lines: [], nextAgeMs: startsAfterMs }
  if (fate === 'cannot-start')
    return { state: { id, slot, phase: 'failed', reason: 'start-failed', message: neverStarted }, lines: [] }
  const lines = [`${id} started`]
  if (fate === 'hangs') return { state: { id, slot, phase: 'running' }, lines }
  if (ageMs < endsAt) return { state: { id, slot, phase: 'running' }, lines, nextAgeMs: endsAt }
  if (fate === 'succeeds') return { state: { id, slot, phase: 'succeeded', exitCode: 0 }, lines }
  const { exits, reason, says } = fate === 'fails' ? { exits: 1 } : fate
  const state = { id, slot, phase: exits === 0 ? 'succeeded' : 'failed', exitCode: exits } as const
  return { state: { ...state, ...(reason !== undefined && { reason }) }, lines: [...lines, says ?? 'it ended'] }
}

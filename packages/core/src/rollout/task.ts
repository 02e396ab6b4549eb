import type { Snapshot, TaskState } from '../contracts/v1/snapshot.js'
import { taskFailed } from '../verdict/task.js'
import { wait } from './decisions.js'
import type { Decision, Seen, Wanted } from './types.js'

/** Made from the slot, so that a resumed run finds the task that a killed one ordered. */
export function taskNameOf({ slot }: Pick<Wanted, 'slot'>): string {
  return `${slot}-before-switch`
}

export function taskOf({ tasks }: Pick<Snapshot, 'tasks'>, wanted: Pick<Wanted, 'slot'>): TaskState | undefined {
  return tasks.find(({ id }) => id === taskNameOf(wanted))
}

/** What is to be done before the task is over and well; `undefined` when it is, or when there is none. */
export function beforeSwitch(wanted: Wanted, seen: Seen): Decision | undefined {
  const { beforeSwitch: asked } = wanted
  if (asked === undefined || seen.taskSucceeded) return undefined
  const task = taskOf(seen.snapshot, wanted)
  if (task?.phase === 'succeeded') return undefined
  if (task?.phase === 'failed' || seen.taskMs >= asked.withinMs)
    return taskFailed(taskNameOf(wanted), task, asked.withinMs)
  if (task === undefined) return runOnce(wanted, seen, asked.command)
  return wait(`${task.id} ends`, undefined, { deadlineMs: asked.withinMs })
}

function runOnce(wanted: Wanted, { snapshot: { revision } }: Seen, command: readonly string[]): Decision {
  const { slot, release, image, spec } = wanted
  return {
    type: 'act',
    action: { type: 'run-once', revision, task: taskNameOf(wanted), slot, release, image, spec, command },
  }
}

import type { TaskState } from '../contracts/v1/snapshot.js'
import type { Failure } from '../rollout/types.js'
import type { Diagnosis } from './diagnosis.js'

/** The command that had to succeed before the switch did not, or not in time. */
export function taskFailed(name: string, task: TaskState | undefined, withinMs: number): Failure {
  const message = task?.phase === 'failed' ? endOf(task) : `the task ${name} did not end within ${withinMs} ms`
  const { phase, exitCode, reason, message: said } = task ?? {}
  const evidence = {
    task: name,
    ...(phase !== undefined && { phase }),
    ...(exitCode !== undefined && { exitCode }),
    ...(reason !== undefined && { reason }),
    ...(said !== undefined && { message: said }),
  }
  const diagnosis: Diagnosis = {
    code: 'task-failed',
    verdict: 'fatal',
    confidence: 'certain',
    owner: reason === 'start-failed' ? 'configuration' : 'code',
    message,
    evidence,
    remedies: [
      { what: 'Read the command’s own output; it ran from the new image and nothing has been switched.' },
      { what: 'Look what it has changed already before it is run again: a migration may have been left half-way.' },
    ],
  }
  return { type: 'fail', code: 'TASK_FAILED', message, evidence, diagnosis }
}

function endOf({ id, exitCode, reason, message }: TaskState): string {
  const parts = [exitCode === undefined ? undefined : `exit code ${exitCode}`, reason, message]
  return `the task ${id} failed: ${parts.filter((part) => part !== undefined && part !== '').join(', ') || 'no reason given'}`
}

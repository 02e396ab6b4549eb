import type { TaskState } from '@kiwi/core'
import type { V1Job, V1Pod } from '@kubernetes/client-node'
import { slotOfTask, taskId } from '../objects/read.js'
import { instanceOf } from './instance.js'

/** Says in neutral words what the cluster reports of a command that runs once: its pod first, the Job where that is gone or was never made. */
export function taskOf(job: V1Job, pods: readonly V1Pod[]): TaskState {
  const base = { id: taskId(job), slot: slotOfTask(job) }
  const pod = pods.find(({ metadata }) => metadata?.ownerReferences?.some(({ uid }) => uid === job.metadata?.uid))
  const seen = pod && instanceOf(pod)
  const { exitCode } = seen ?? {}
  const words = wordsOf(job, seen)
  const ended = exitCode === undefined ? {} : { exitCode }
  const over = outcomeOf(job) ?? (exitCode === undefined ? undefined : exitCode === 0 ? 'succeeded' : 'failed')
  if (over === 'succeeded') return { ...base, phase: over, ...ended }
  if (over === 'failed') return { ...base, phase: over, ...ended, ...words }
  return { ...base, phase: seen?.phase === 'running' ? 'running' : 'creating', ...words }
}

function outcomeOf({ status }: V1Job): 'succeeded' | 'failed' | undefined {
  const holds = (type: string) => status?.conditions?.some((one) => one.type === type && one.status === 'True')
  if (holds('Complete')) return 'succeeded'
  return holds('Failed') ? 'failed' : undefined
}

function wordsOf({ status }: V1Job, pod: Pick<TaskState, 'reason' | 'message'> | undefined) {
  const failure = status?.conditions?.find(({ type, status: holds }) => type === 'Failed' && holds === 'True')
  const { reason, message } = pod?.reason === undefined ? (failure ?? {}) : pod
  return { ...(reason !== undefined && { reason }), ...(message !== undefined && { message }) }
}

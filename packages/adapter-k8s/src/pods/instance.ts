import type { InstanceState } from '@kiwi/core'
import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node'
import { containerName } from '../objects/names.js'
import { nameOf } from '../objects/read.js'

interface Words {
  readonly reason?: string | undefined
  readonly message?: string | undefined
}

/** Says in neutral words what the cluster reports of a pod. */
export function instanceOf(pod: V1Pod): InstanceState {
  const main = statusesOf(pod).find(({ name }) => name === containerName)
  const ended = main?.state?.terminated ?? main?.lastState?.terminated
  const { reason, message } = wordsOf(pod)
  return {
    id: nameOf(pod),
    phase: phaseOf(pod, main),
    ready: pod.metadata?.deletionTimestamp === undefined && conditionOf(pod, 'Ready')?.status === 'True',
    restarts: main?.restartCount ?? 0,
    ...(ended && { exitCode: ended.exitCode }),
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
  }
}

function phaseOf(pod: V1Pod, main: V1ContainerStatus | undefined): InstanceState['phase'] {
  if (pod.metadata?.deletionTimestamp !== undefined) return 'stopping'
  if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') return 'exited'
  if (main?.state?.running) return 'running'
  const ended = main?.state?.terminated ?? main?.lastState?.terminated
  return ended ? 'exited' : 'creating'
}

/** The most telling of what the cluster says: of the pod itself, of a container that ended, of one that cannot start. */
function wordsOf(pod: V1Pod): Words {
  const { reason, message } = pod.status ?? {}
  if (reason !== undefined) return { reason, message } // Evicted and the like
  const scheduled = conditionOf(pod, 'PodScheduled')
  if (scheduled?.status === 'False') return { reason: scheduled.reason, message: scheduled.message }
  for (const status of statusesOf(pod)) {
    const words = troubleOf(status)
    if (words) return words
  }
  return {}
}

/** Reasons of a container that say only that it is on its way. */
const onTheWay = ['ContainerCreating', 'PodInitializing']

function troubleOf({ state, lastState, ready }: V1ContainerStatus): Words | undefined {
  const { waiting, terminated } = state ?? {}
  if (waiting?.reason !== undefined && !onTheWay.includes(waiting.reason)) {
    const ended = lastState?.terminated
    // "back-off restarting failed container" explains nothing; how it ended does.
    if (waiting.reason !== 'CrashLoopBackOff' || !ended) return waiting
    const precise = ended.reason !== undefined && !['Error', 'Completed'].includes(ended.reason)
    return { reason: precise ? ended.reason : waiting.reason, message: ended.message ?? waiting.message }
  }
  const ended = terminated ?? (ready ? undefined : lastState?.terminated)
  return ended && (ended.exitCode !== 0 || !terminated) ? ended : undefined
}

/** Containers that run first come first. */
export function statusesOf({ status }: V1Pod): V1ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
}

function conditionOf({ status }: V1Pod, type: string) {
  return status?.conditions?.find((condition) => condition.type === type)
}

/** Reasons that repeat an earlier, more precise one in vaguer words. */
const vague = ['ImagePullBackOff', 'CrashLoopBackOff']

/** Keeps the first precise message of each pod: the cluster itself replaces it by "Back-off …" some seconds later. */
export function firstMessages(): (pod: V1Pod, instance: InstanceState) => InstanceState {
  const kept = new Map<string, string>()
  return (pod, instance) => {
    const uid = pod.metadata?.uid ?? ''
    const { reason, message } = instance
    if (reason === undefined || message === undefined) {
      if (instance.ready) kept.delete(uid)
      return instance
    }
    const first = kept.get(uid)
    if (vague.includes(reason) && first !== undefined) return { ...instance, message: first }
    kept.set(uid, message)
    return instance
  }
}

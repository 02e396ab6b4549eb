import type { RunOnce } from '@kiwi/core'
import type { V1Job, V1OwnerReference } from '@kubernetes/client-node'
import { annotations, labels, labelValue, objectName, type Place } from './names.js'
import { podSpec } from './pod.js'

export interface TaskOrder {
  readonly place: Place
  readonly action: RunOnce
  readonly token: number
  readonly secretName: string | undefined
  /** The target's Service: with it the Job goes, whatever happens. */
  readonly owner: V1OwnerReference
}

export function jobName(place: Place, task: string): string {
  return objectName([place.name, task])
}

/** A command that runs once: one pod, never another one in its place. */
export function newJob({ place, action, token, secretName, owner }: TaskOrder): V1Job {
  const { task, slot, release, image, spec, command } = action
  const own = {
    ...place.labels,
    [labels.task]: labelValue(task),
    [labels.release]: labelValue(release),
    [labels.managedBy]: 'kiwi',
  }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: jobName(place, task),
      labels: own,
      annotations: {
        [annotations.token]: String(token),
        [annotations.task]: task,
        [annotations.slot]: slot,
        [annotations.release]: release,
        [annotations.digest]: image.digest,
      },
      ownerReferences: [owner],
    },
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { labels: own },
        spec: {
          ...podSpec({ image, spec: { ...spec, command }, secretName, container: {} }),
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: Math.ceil(spec.stopGraceMs / 1000),
        },
      },
    },
  }
}

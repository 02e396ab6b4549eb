import { createHash, randomUUID } from 'node:crypto'
import type { EnsureSlot, HealthCheck, InstanceSpec } from '@kiwi/core'
import type { V1Container, V1Deployment, V1Probe } from '@kubernetes/client-node'
import { annotations, labels, labelValue, objectName, type Place, portName } from './names.js'
import { podSpec } from './pod.js'

/** How long an instance still serves after it was told to stop: the time in which every node learns that it is leaving. */
export const drainSeconds = 5

export interface Order {
  readonly place: Place
  readonly action: EnsureSlot
  readonly token: number
  /** Name of the Secret that holds the values of the spec's secret references. */
  readonly secretName: string | undefined
}

/** Names the slot's Deployment (`web-production-a1b2c3d`). */
export function deploymentName(place: Place, slot: string): string {
  return objectName([place.name, slot])
}

/** Hash of all that makes a slot's instances what they are. Where the image is pulled from is not part of that, its digest is; nor the release. */
export function specHash({ action: { image, spec }, secretName }: Omit<Order, 'token' | 'place'>): string {
  const what = JSON.stringify(sorted({ digest: image.digest, spec, secretName }))
  return createHash('sha256').update(what).digest('hex').slice(0, 16)
}

export function newDeployment(order: Order): V1Deployment {
  const { place, action, token } = order
  const slot = { ...place.labels, [labels.slot]: labelValue(action.slot) }
  const own = { ...slot, [labels.release]: labelValue(action.release), [labels.managedBy]: 'kiwi' }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: deploymentName(place, action.slot),
      labels: own,
      annotations: {
        [annotations.token]: String(token),
        [annotations.spec]: specHash(order),
        [annotations.slot]: action.slot,
        [annotations.release]: action.release,
        [annotations.digest]: action.image.digest,
      },
    },
    spec: {
      replicas: action.replicas,
      revisionHistoryLimit: 0,
      selector: { matchLabels: slot },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } },
      template: {
        metadata: { labels: { ...own, [labels.incarnation]: randomUUID().slice(0, 8) } },
        spec: {
          ...podSpec({ ...action, secretName: order.secretName, container: serving(action.spec) }),
          terminationGracePeriodSeconds: drainSeconds + Math.ceil(action.spec.stopGraceMs / 1000),
        },
      },
    },
  }
}

/** What an instance has that gets requests. */
function serving({ port, health }: InstanceSpec): Partial<V1Container> {
  return {
    ports: [{ name: portName, containerPort: port }],
    readinessProbe: probeOf(health),
    lifecycle: { preStop: { sleep: { seconds: drainSeconds } } },
  }
}

function probeOf({ type, path, intervalMs, timeoutMs }: HealthCheck): V1Probe {
  const times = { periodSeconds: wholeSeconds(intervalMs), timeoutSeconds: wholeSeconds(timeoutMs) }
  if (type === 'tcp') return { tcpSocket: { port: portName }, ...times }
  return { httpGet: { path: path ?? '/', port: portName }, ...times }
}

/** The kubelet counts in seconds, from 1. */
function wholeSeconds(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1000))
}

/** The same value with keys in one order, so that equal specs hash alike. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}

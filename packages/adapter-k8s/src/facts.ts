import type { InstanceState, RouteState, SlotState, Snapshot } from '@kiwi/core'
import type { V1Deployment, V1Endpoint, V1EndpointSlice, V1Job, V1Pod, V1Service } from '@kubernetes/client-node'
import { revisionOf } from './fence/ordered.js'
import { annotations, labels } from './objects/names.js'
import { incarnationOf, nameOf, routedSlots, slotId, slotLabel, tokenOf } from './objects/read.js'
import { instanceOf } from './pods/instance.js'
import { taskOf } from './pods/task.js'

/** Everything of a target that the cluster shows. */
export interface Seen {
  readonly service: V1Service | undefined
  readonly deployments: readonly V1Deployment[]
  readonly jobs: readonly V1Job[]
  readonly pods: readonly V1Pod[]
  readonly endpointSlices: readonly V1EndpointSlice[]
}

export interface SnapshotOptions {
  /** Host by which the cluster's node ports are reached. */
  readonly host: string
  /** Says what an earlier look at the pod said more precisely. */
  readonly remember: (pod: V1Pod, instance: InstanceState) => InstanceState
}

export function snapshotOf(seen: Seen, options: SnapshotOptions): Snapshot {
  const deployments = [...seen.deployments].sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))
  return {
    revision: revisionOf(seen),
    fence: Math.max(tokenOf(seen.service), ...deployments.map(tokenOf)),
    slots: deployments.map((deployment) => slotOf(deployment, seen.pods, options)),
    tasks: seen.jobs.map((job) => taskOf(job, seen.pods)).sort((one, other) => (one.id < other.id ? -1 : 1)),
    route: routeOf(seen, options.host),
  }
}

function slotOf(deployment: V1Deployment, pods: readonly V1Pod[], { remember }: SnapshotOptions): SlotState {
  const own = pods.filter((pod) => slotLabel(pod) === slotLabel(deployment))
  const replicas = deployment.spec?.replicas ?? 1
  const instances = own
    .map((pod) => (isCurrent(pod, deployment) ? remember(pod, instanceOf(pod)) : leaving(instanceOf(pod))))
    .sort((one, other) => (one.id < other.id ? -1 : 1))
  const staying = instances.filter(({ phase }) => phase !== 'stopping').length
  return {
    id: slotId(deployment),
    release: deployment.metadata?.annotations?.[annotations.release] ?? '',
    digest: deployment.metadata?.annotations?.[annotations.digest] ?? '',
    replicas,
    instances: [...instances, ...missing(deployment, replicas - staying)],
  }
}

/** A pod of an earlier making of the slot counts for nothing any more, whatever it says of itself. */
function leaving(instance: InstanceState): InstanceState {
  return { ...instance, phase: 'stopping', ready: false }
}

function isCurrent(pod: V1Pod, deployment: V1Deployment): boolean {
  return pod.metadata?.labels?.[labels.incarnation] === incarnationOf(deployment)
}

/** Instances that were ordered but that the cluster has not made; when it refuses to (quota, admission), with its reason. */
function missing(deployment: V1Deployment, count: number): InstanceState[] {
  const refusal = deployment.status?.conditions?.find(
    ({ type, status }) => type === 'ReplicaFailure' && status === 'True',
  )
  const { reason, message } = refusal ?? {}
  return Array.from({ length: Math.max(0, count) }, (_, index) => ({
    id: `${nameOf(deployment)}/missing-${index + 1}`,
    phase: 'creating',
    ready: false,
    restarts: 0,
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
  }))
}

function routeOf({ service, deployments, pods, endpointSlices }: Seen, host: string): RouteState {
  const slots = routedSlots(service, deployments)
  const routed = deployments.find((deployment) => slots.includes(slotId(deployment)))
  const target = new Set(
    pods.filter((pod) => routed && slotLabel(pod) === slotLabel(routed) && isCurrent(pod, routed)).map(nameOf),
  )
  const endpoints = endpointSlices.flatMap((slice) => slice.endpoints ?? [])
  const isTarget = (endpoint: V1Endpoint) => target.has(endpoint.targetRef?.name ?? '')
  const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false)
  const enough = ready.length > 0 || slots.length === 0
  return {
    slots,
    settled: service !== undefined && enough && ready.every(isTarget),
    addresses: addressesOf(service, host),
  }
}

function addressesOf(service: V1Service | undefined, host: string): string[] {
  const ports = service?.spec?.ports ?? []
  return ports.flatMap(({ name, nodePort }) =>
    nodePort === undefined ? [] : [`${name ?? 'tcp'}://${host}:${nodePort}`],
  )
}

import type { V1Deployment, V1Job, V1ObjectMeta, V1Service } from '@kubernetes/client-node'
import { annotations, labels } from './names.js'

interface Meta {
  readonly metadata?: V1ObjectMeta
}

/** The newest lease token that wrote the object; 0 when none did. */
export function tokenOf(object: Meta | undefined): number {
  const token = Number(object?.metadata?.annotations?.[annotations.token] ?? 0)
  return Number.isSafeInteger(token) ? token : 0
}

export function nameOf(object: Meta): string {
  return object.metadata?.name ?? ''
}

export function slotLabel(object: Meta): string {
  return object.metadata?.labels?.[labels.slot] ?? ''
}

export function slotId(deployment: V1Deployment): string {
  return deployment.metadata?.annotations?.[annotations.slot] ?? slotLabel(deployment)
}

/** The name of a command that runs once. */
export function taskId({ metadata }: V1Job): string {
  return metadata?.annotations?.[annotations.task] ?? metadata?.labels?.[labels.task] ?? ''
}

/** The slot that the command belongs to. */
export function slotOfTask({ metadata }: V1Job): string {
  return metadata?.annotations?.[annotations.slot] ?? ''
}

/** The slot that the Service selects, as a list of one or none. */
export function routedSlots(service: V1Service | undefined, deployments: readonly V1Deployment[]): string[] {
  const label = service?.spec?.selector?.[labels.slot] ?? ''
  if (label === '') return []
  const deployment = deployments.find((candidate) => slotLabel(candidate) === label)
  return [deployment ? slotId(deployment) : label]
}

export function incarnationOf(deployment: V1Deployment): string | undefined {
  return deployment.spec?.template.metadata?.labels?.[labels.incarnation]
}

export function ownerOf(object: { kind: string; apiVersion: string } & Meta) {
  const { kind, apiVersion } = object
  return { apiVersion, kind, name: nameOf(object), uid: object.metadata?.uid ?? '' }
}

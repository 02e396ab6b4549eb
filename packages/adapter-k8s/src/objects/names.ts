import { createHash } from 'node:crypto'
import type { Target } from '@kiwi/core'
import type { Client } from '../transport/client.js'

export const labels = {
  service: 'kiwi.dev/service',
  environment: 'kiwi.dev/environment',
  slot: 'kiwi.dev/slot',
  /** On a command that runs once and its pods; these have no slot's label, so nothing takes them for instances. */
  task: 'kiwi.dev/task',
  release: 'kiwi.dev/release',
  /** One making of a slot's instances: tells them from those of an earlier one that are still on their way out. */
  incarnation: 'kiwi.dev/incarnation',
  managedBy: 'app.kubernetes.io/managed-by',
} as const

export const annotations = {
  token: 'kiwi.dev/token',
  /** Hash of what the slot was ordered to be. */
  spec: 'kiwi.dev/spec',
  /** Ids in full; the labels of the same names may hold them shortened. */
  slot: 'kiwi.dev/slot',
  task: 'kiwi.dev/task',
  release: 'kiwi.dev/release',
  digest: 'kiwi.dev/digest',
} as const

/** Name of the container and of its port in every slot, so that one Service fits slots with different ports. */
export const containerName = 'app'
export const portName = 'main'

/** A target's place in the cluster. */
export interface Place {
  readonly namespace: string
  /** Of the Service; the slots' names begin with it. */
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Selects everything of the target. */
  readonly selector: string
  readonly services: string
  readonly service: string
  readonly deployments: string
  readonly jobs: string
  readonly pods: string
  readonly secrets: string
  readonly endpointSlices: string
}

export function placeOf(client: Pick<Client, 'namespace'>, { service, environment, namespace }: Target): Place {
  const own = { [labels.service]: labelValue(service), [labels.environment]: labelValue(environment) }
  const within = namespace ?? client.namespace
  const core = `/api/v1/namespaces/${within}`
  const name = objectName([service, environment])
  return {
    namespace: within,
    name,
    labels: own,
    selector: Object.entries(own)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    services: `${core}/services`,
    service: `${core}/services/${name}`,
    deployments: `/apis/apps/v1/namespaces/${within}/deployments`,
    jobs: `/apis/batch/v1/namespaces/${within}/jobs`,
    pods: `${core}/pods`,
    secrets: `${core}/secrets`,
    endpointSlices: `/apis/discovery.k8s.io/v1/namespaces/${within}/endpointslices`,
  }
}

/** A name that every kind of object takes: lower case, begins with a letter, up to 63 long. What does not fit is shortened and hashed. */
export function objectName(parts: readonly string[]): string {
  const plain = parts.join('-')
  if (/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(plain)) return plain
  const fitting = `k-${plain.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`.slice(0, 54)
  return `${fitting.replace(/-+$/, '')}-${shortHash(parts.join('\n'))}`
}

/** Label values hold less than ids do (`web/production/12` → `web.production.12`). */
export function labelValue(id: string): string {
  const plain = id.replace(/\//g, '.')
  if (/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(plain)) return plain
  const fitting = `k-${plain.replace(/[^A-Za-z0-9._-]+/g, '-')}`.slice(0, 54)
  return `${fitting.replace(/[._-]+$/, '')}-${shortHash(id)}`
}

export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}

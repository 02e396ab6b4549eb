import { createHash } from 'node:crypto'
import { type Context, KiwiError } from '@kiwi/core'
import type { V1Deployment, V1DeploymentList, V1Job, V1JobList, V1Service } from '@kubernetes/client-node'
import { conflict, fenced } from '../errors.js'
import { annotations, labels, type Place } from '../objects/names.js'
import { tokenOf } from '../objects/read.js'
import type { Client } from '../transport/client.js'

/** What was ordered of a target: all that an act may change. */
export interface Ordered {
  readonly service: V1Service | undefined
  readonly deployments: readonly V1Deployment[]
  /** Commands that run once; label-selected like the slots. */
  readonly jobs: readonly V1Job[]
}

/** Looks at what is ordered now, past every cache. */
export async function look(client: Client, place: Place, signal: AbortSignal): Promise<Ordered> {
  const query = { labelSelector: place.selector }
  const [service, slots, tasks] = await Promise.all([
    client.read<V1Service>({ path: place.service }, signal),
    client.read<V1DeploymentList>({ path: place.deployments, query }, signal),
    client.read<V1JobList>({ path: place.jobs, query }, signal),
  ])
  return { service, deployments: slots?.items ?? [], jobs: tasks?.items ?? [] }
}

/**
 * Names one state of what is ordered: claim, route, slots and their sizes, commands. What the cluster reports of itself
 * (status, resourceVersion, readiness) is not in it.
 */
export function revisionOf({ service, deployments, jobs }: Ordered): string {
  const route = service && [
    service.metadata?.uid,
    tokenOf(service),
    service.spec?.selector,
    service.spec?.type,
    service.spec?.ports,
  ]
  const slots = deployments
    .map(({ metadata, spec }) => [
      metadata?.uid,
      metadata?.generation,
      metadata?.annotations?.[annotations.spec],
      spec?.replicas,
    ])
    .sort()
  return createHash('sha256')
    .update(JSON.stringify([route, slots, jobs.map(({ metadata }) => metadata?.uid).sort()]))
    .digest('hex')
    .slice(0, 16)
}

/** Refuses an operation that was overtaken, and one that was decided on another state than this. */
export function admit(
  ordered: Ordered,
  revision: string,
  context: Context,
): asserts ordered is Ordered & { service: V1Service } {
  const { token } = context.operation.fence
  const newest = newestToken(ordered)
  if (newest > token) throw fenced(token, newest)
  if (!ordered.service) throw conflict('nothing has claimed this target')
  const now = revisionOf(ordered)
  if (now !== revision) throw conflict(`the target is at ${now}, not at ${revision} any more`)
}

export function newestToken({ service, deployments }: Ordered): number {
  return Math.max(tokenOf(service), ...deployments.map(tokenOf))
}

/** Whether the object is this target's, and not something else of the same name. */
export function belongs(object: { metadata?: { labels?: Record<string, string> } }, place: Place): boolean {
  const found = object.metadata?.labels ?? {}
  return [labels.service, labels.environment].every((key) => found[key] === place.labels[key])
}

export function foreign(kind: string, name: string, { namespace }: Place): KiwiError {
  const message = `the ${kind} ${name} in ${namespace} belongs to something else`
  const hint = `Name the service or the environment differently, or remove that ${kind}: its labels are not this target’s.`
  return new KiwiError('RUNTIME_FAILED', message, { hint, retryable: false })
}

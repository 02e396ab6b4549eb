import type { Context } from '@kiwi/core'
import type { V1Deployment, V1Job, V1Service } from '@kubernetes/client-node'
import { jsonPatch, tokenPatch, tokenPath, write } from '../fence/write.js'
import { labelValue, type Place } from '../objects/names.js'
import { nameOf, slotLabel, tokenOf } from '../objects/read.js'
import type { Answer, Client } from '../transport/client.js'

/** What an act needs to know: read after the claim was checked, so that its preconditions are those of a state that was admitted. */
export interface Admitted {
  readonly client: Client
  readonly place: Place
  readonly service: V1Service
  readonly deployments: readonly V1Deployment[]
  readonly jobs: readonly V1Job[]
  readonly context: Context
}

/** `undefined`: it has that many already. */
export async function scale(
  deployment: V1Deployment,
  replicas: number,
  admitted: Admitted,
): Promise<Answer | undefined> {
  const now = deployment.spec?.replicas
  if (now === replicas) return undefined
  const { client, place, context } = admitted
  const path = `${place.deployments}/${nameOf(deployment)}`
  const change = { op: 'replace', path: '/spec/replicas', value: replicas }
  const tests = [
    { op: 'test', path: tokenPath, value: String(tokenOf(deployment)) },
    { op: 'test', path: '/spec/replicas', value: now },
  ]
  const changes = [...tokenPatch(deployment, context.operation.fence.token), change]
  return write(client, jsonPatch(path, deployment, changes, tests), context)
}

export function slotIn({ deployments }: Pick<Admitted, 'deployments'>, slot: string): V1Deployment | undefined {
  return deployments.find((deployment) => slotLabel(deployment) === labelValue(slot))
}

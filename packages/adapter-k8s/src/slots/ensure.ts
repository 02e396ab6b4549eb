import type { EnsureSlot } from '@kiwi/core'
import type { V1Deployment } from '@kubernetes/client-node'
import { belongs, foreign } from '../fence/ordered.js'
import { write } from '../fence/write.js'
import { deploymentName, newDeployment, specHash } from '../objects/deployment.js'
import { annotations, labels, labelValue } from '../objects/names.js'
import { nameOf, ownerOf } from '../objects/read.js'
import { ensureSecret, giveSecretTo } from '../objects/secret.js'
import type { Answer } from '../transport/client.js'
import { type Admitted, scale, slotIn } from './scale.js'

/**
 * Makes the slot's Deployment where there is none; one of the same spec is scaled at most, one of another is replaced as a whole
 * under its resourceVersion. (An apply cannot require that an object is absent, and would leave behind what a create had set.)
 */
export async function ensureSlot(action: EnsureSlot, admitted: Admitted): Promise<Answer | undefined> {
  const { client, place, service, context } = admitted
  const name = deploymentName(place, action.slot)
  const owner = ownerOf({ apiVersion: 'v1', kind: 'Service', ...service })
  const secretName = await ensureSecret(
    client,
    { place, label: { [labels.slot]: labelValue(action.slot) }, name },
    { spec: action.spec, owner },
    context,
  )
  const found = slotIn(admitted, action.slot)
  const release = found?.metadata?.annotations?.[annotations.release] ?? action.release
  const order = { place, action: { ...action, release }, secretName, token: context.operation.fence.token }
  if (found?.metadata?.annotations?.[annotations.spec] === specHash(order))
    return scale(found, action.replicas, admitted)
  const wanted = newDeployment(order)
  const answer = found
    ? await write(
        client,
        { method: 'PUT', path: `${place.deployments}/${name}`, body: replacing(found, wanted) },
        context,
      )
    : await create(wanted, admitted)
  if (secretName !== undefined && answer.status < 300) {
    const made = ownerOf({ apiVersion: 'apps/v1', kind: 'Deployment', ...(answer.body as V1Deployment) })
    await giveSecretTo(client, `${place.secrets}/${secretName}`, made, context.signal)
  }
  return answer
}

/** Creates it, or says that the name is taken by what is not ours; what is ours shows at the next look. */
async function create(body: V1Deployment, { client, place, context }: Admitted): Promise<Answer> {
  const answer = await write(client, { method: 'POST', path: place.deployments, body }, context)
  if (answer.status !== 409) return answer
  const there = await client.read<V1Deployment>({ path: `${place.deployments}/${nameOf(body)}` }, context.signal)
  if (there && !belongs(there, place)) throw foreign('Deployment', nameOf(body), place)
  return answer
}

/** The object as it was read, with what is ordered in place of what was: uid and resourceVersion make the write conditional. */
function replacing(found: V1Deployment, wanted: V1Deployment): V1Deployment {
  return {
    ...found,
    ...wanted,
    metadata: {
      ...found.metadata,
      labels: { ...found.metadata?.labels, ...wanted.metadata?.labels },
      annotations: { ...found.metadata?.annotations, ...wanted.metadata?.annotations },
    },
    ...(wanted.spec && { spec: { ...found.spec, ...wanted.spec } }),
  }
}

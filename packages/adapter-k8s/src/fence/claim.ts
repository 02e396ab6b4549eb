import { type Context, KiwiError, type Target } from '@kiwi/core'
import type { V1ObjectMeta, V1Service } from '@kubernetes/client-node'
import { conflict, fenced, moved, refused } from '../errors.js'
import { labels, type Place, placeOf } from '../objects/names.js'
import { nameOf, tokenOf } from '../objects/read.js'
import { newService, publishing } from '../objects/service.js'
import type { Answer, Ask, Client } from '../transport/client.js'
import { belongs, foreign } from './ordered.js'
import { jsonPatch, tokenPatch, write } from './write.js'

const attempts = 5

/**
 * Writes the token on the target's Service, which it makes where there is none (and the namespace with it), then on every slot and command:
 * each write of an older operation that is still on its way now fails its precondition.
 */
export async function claim(client: Client, target: Target, context: Context): Promise<void> {
  const place = placeOf(client, target)
  await claimService(client, { place, target }, context)
  const query = { labelSelector: place.selector }
  for (const path of [place.deployments, place.jobs]) {
    const list = await client.read<{ readonly items: readonly Claimable[] }>({ path, query }, context.signal)
    for (const object of list?.items ?? []) await claimObject(client, { path, object }, context)
  }
}

async function claimService(
  client: Client,
  { place, target }: { place: Place; target: Target },
  context: Context,
): Promise<void> {
  const { token } = context.operation.fence
  for (let attempt = 0; attempt < attempts; attempt++) {
    const service = await client.read<V1Service>({ path: place.service }, context.signal)
    if (!service) {
      const answer = await create(client, { place, body: newService(place, target.publish, token) }, context)
      if (answer.status < 300) return
      continue // someone else made it at the same time
    }
    if (!belongs(service, place)) throw foreign('Service', place.name, place)
    if (tokenOf(service) > token) throw fenced(token, tokenOf(service))
    const changes = publishing(service, target.publish)
    if (tokenOf(service) === token && changes.length === 0) return
    const answer = await write(
      client,
      jsonPatch(place.service, service, [...tokenPatch(service, token), ...changes]),
      context,
    )
    if (!moved(answer)) return
  }
  throw conflict(`the Service ${place.name} kept changing while it was claimed`)
}

interface Claimable {
  readonly metadata?: V1ObjectMeta
}

async function claimObject(
  client: Client,
  { path: collection, object }: { path: string; object: Claimable },
  context: Context,
): Promise<void> {
  const { token } = context.operation.fence
  const path = `${collection}/${nameOf(object)}`
  let current: Claimable | undefined = object
  for (let attempt = 0; current && attempt < attempts; attempt++) {
    const newest = tokenOf(current)
    if (newest > token) throw fenced(token, newest)
    if (newest === token) return
    const answer = await write(client, jsonPatch(path, current, tokenPatch(current, token)), context)
    if (!moved(answer)) return
    current = await client.read<Claimable>({ path }, context.signal)
  }
  if (current) throw conflict(`${path} kept changing while it was claimed`)
}

/** Creates the Service; where the namespace is what is missing, that first. */
async function create(
  client: Client,
  { place, body }: { place: Place; body: V1Service },
  context: Context,
): Promise<Answer> {
  const asked: Ask = { method: 'POST', path: place.services, body }
  const answer = await write(client, asked, context, [404])
  if (answer.status !== 404) return answer
  const namespace = { metadata: { name: place.namespace, labels: { [labels.managedBy]: 'kiwi' } } }
  const made = await client.ask({ method: 'POST', path: '/api/v1/namespaces', body: namespace }, context.signal)
  if (made.status >= 300 && made.status !== 409)
    throw missing(place, refused(made, { method: 'POST', path: '/api/v1/namespaces' }))
  return write(client, asked, context)
}

function missing(place: Place, cause: KiwiError): KiwiError {
  const hint = `Create the namespace ${place.namespace}, or allow the kubeconfig’s user to create namespaces.`
  const message = `the namespace ${place.namespace} does not exist and could not be created`
  return new KiwiError('RUNTIME_FAILED', message, { hint, retryable: false, effect: cause.effect, cause })
}

import { KiwiError, type RemoveSlot } from '@kiwi/core'
import type { V1Job, V1ObjectMeta } from '@kubernetes/client-node'
import { conflict, fenced, moved, refusal } from '../errors.js'
import { write } from '../fence/write.js'
import { nameOf, routedSlots, slotOfTask, tokenOf } from '../objects/read.js'
import type { Answer } from '../transport/client.js'
import { type Admitted, slotIn } from './scale.js'

const attempts = 5

/** Removes the slot's Deployment, then its commands. `undefined`: there is nothing, or what there was went meanwhile. */
export async function removeSlot({ slot }: RemoveSlot, admitted: Admitted): Promise<Answer | undefined> {
  const { place, service, deployments } = admitted
  if (routedSlots(service, deployments).includes(slot)) throw refusal(`the slot ${slot} gets the traffic and stays`)
  const jobs = admitted.jobs.filter((job) => slotOfTask(job) === slot)
  const deployment = slotIn(admitted, slot)
  if (!deployment) return removeAll(jobs, admitted)
  const answer = await removeObject({ path: place.deployments, object: deployment }, admitted)
  if (!moved(answer)) await after(() => removeAll(jobs, admitted))
  return answer
}

/** Removes the Service, and with it the claim; then every command that is left. */
export async function removeTarget(admitted: Admitted): Promise<Answer> {
  const { place, service, deployments, jobs } = admitted
  if (deployments.length > 0) throw refusal(`the target has slots, ${deployments.map(nameOf).join(', ')}, and stays`)
  const answer = await removeObject({ path: place.services, object: service }, admitted)
  if (!moved(answer)) await after(() => removeAll(jobs, admitted))
  return answer
}

async function removeAll(jobs: readonly V1Job[], admitted: Admitted): Promise<undefined> {
  for (const job of jobs) await removeJob(job, admitted)
}

/** The cluster writes on a Job that runs, so its state may have moved; what may not have is whose it is. */
async function removeJob(job: V1Job, admitted: Admitted): Promise<void> {
  const { client, place, context } = admitted
  const { token } = context.operation.fence
  let object: V1Job | undefined = job
  for (let attempt = 0; object && attempt < attempts; attempt++) {
    if (tokenOf(object) > token) throw fenced(token, tokenOf(object))
    if (!moved(await removeObject({ path: place.jobs, object }, admitted))) return
    object = await client.read<V1Job>({ path: `${place.jobs}/${nameOf(job)}` }, context.signal)
    if (object?.metadata?.uid !== job.metadata?.uid) return
  }
  if (object) throw conflict(`the Job ${nameOf(job)} kept changing while it was removed`)
}

interface Removal {
  readonly path: string
  readonly object: { readonly metadata?: V1ObjectMeta }
}

/** Removes exactly what was read, in the state it was read in: a newer claim has written on it. */
async function removeObject({ path, object }: Removal, { client, context }: Admitted): Promise<Answer> {
  const { uid, resourceVersion } = object.metadata ?? {}
  const body = { preconditions: { uid, resourceVersion }, propagationPolicy: 'Background' }
  return write(client, { method: 'DELETE', path: `${path}/${nameOf(object)}`, body }, context, [404])
}

/** What follows a first write that was made: something was changed, also when the write that failed changed nothing. */
async function after(remove: () => Promise<unknown>): Promise<void> {
  try {
    await remove()
  } catch (thrown) {
    const error = KiwiError.from(thrown)
    if (error.effect !== 'none') throw error
    throw new KiwiError(error.code, error.message, { ...error, effect: 'done', cause: error.cause })
  }
}

import type { RunOnce } from '@kiwi/core'
import type { V1Job } from '@kubernetes/client-node'
import { belongs, foreign } from '../fence/ordered.js'
import { write } from '../fence/write.js'
import { jobName, newJob } from '../objects/job.js'
import { labels, labelValue } from '../objects/names.js'
import { ownerOf, taskId } from '../objects/read.js'
import { ensureSecret, giveSecretTo } from '../objects/secret.js'
import type { Answer } from '../transport/client.js'
import type { Admitted } from './scale.js'

/** Makes the command's Job; `undefined` where there is one of that name already. */
export async function runOnce(action: RunOnce, admitted: Admitted): Promise<Answer | undefined> {
  const { client, place, service, jobs, context } = admitted
  if (jobs.some((job) => taskId(job) === action.task)) return undefined
  const name = jobName(place, action.task)
  const owner = ownerOf({ apiVersion: 'v1', kind: 'Service', ...service })
  const label = { [labels.task]: labelValue(action.task) }
  const secretName = await ensureSecret(client, { place, label, name }, { spec: action.spec, owner }, context)
  const body = newJob({ place, action, secretName, owner, token: context.operation.fence.token })
  const answer = await write(client, { method: 'POST', path: place.jobs, body }, context)
  if (answer.status === 409) {
    const there = await client.read<V1Job>({ path: `${place.jobs}/${name}` }, context.signal)
    if (there && !belongs(there, place)) throw foreign('Job', name, place)
  }
  if (secretName !== undefined && answer.status < 300) {
    const made = ownerOf({ apiVersion: 'batch/v1', kind: 'Job', ...(answer.body as V1Job) })
    await giveSecretTo(client, `${place.secrets}/${secretName}`, made, context.signal)
  }
  return answer
}

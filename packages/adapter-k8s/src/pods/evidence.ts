import type { Context, Evidence, Target } from '@kiwi/core'
import type { CoreV1Event, CoreV1EventList, V1DeploymentList, V1Pod, V1PodList } from '@kubernetes/client-node'
import { containerName, labels, labelValue, type Place, placeOf } from '../objects/names.js'
import { nameOf, slotLabel } from '../objects/read.js'
import type { Client } from '../transport/client.js'
import { instanceOf, statusesOf } from './instance.js'

const lines = 50
const warnings = 5
const logBytes = 64 * 1024

type Finding = Evidence['instances'][number]

/** Exit codes, the cluster's warnings and the last output of each pod of the slot or the task; and why it refuses to make one. */
export async function gather(client: Client, target: Target, slot: string, context: Context): Promise<Evidence> {
  const { signal } = context
  const place = placeOf(client, target)
  const instances: Finding[] = []
  for (const label of [labels.slot, labels.task]) {
    const query = { labelSelector: `${place.selector},${label}=${labelValue(slot)}` }
    const pods = await client.read<V1PodList>({ path: place.pods, query }, signal)
    for (const pod of pods?.items ?? []) instances.push(await findingOf(client, { place, pod }, signal))
  }
  return { slot, instances: [...instances, ...(await refusals(client, { place, slot }, signal))] }
}

async function findingOf(
  client: Client,
  { place, pod }: { place: Place; pod: V1Pod },
  signal: AbortSignal,
): Promise<Finding> {
  const { id, exitCode, reason } = instanceOf(pod)
  const [events, output] = await Promise.all([
    warningsOf(client, { place, uid: pod.metadata?.uid ?? '' }, signal),
    lastOutput(client, { place, pod }, signal),
  ])
  return {
    id,
    ...(exitCode !== undefined && { exitCode }),
    ...(reason !== undefined && { reason }),
    lastOutput: [...events, ...output],
  }
}

/** Of the container before this one where this one has only just begun, or waits to begin again. */
async function lastOutput(
  client: Client,
  { place, pod }: { place: Place; pod: V1Pod },
  signal: AbortSignal,
): Promise<string[]> {
  const status = statusesOf(pod).find(({ name }) => name === containerName)
  const crashed = status?.lastState?.terminated !== undefined && status.state?.terminated === undefined
  const path = `${place.pods}/${nameOf(pod)}/log`
  const query = {
    container: containerName,
    tailLines: String(lines),
    limitBytes: String(logBytes),
    previous: String(crashed),
  }
  const answer = await client.ask({ method: 'GET', path, query }, signal)
  // 400: there is no output (yet, or any more); evidence is what can be had
  if (answer.status !== 200 || typeof answer.body !== 'string') return []
  return answer.body
    .split('\n')
    .filter((line) => line !== '')
    .slice(-lines)
}

/** The newest last, as in a log. */
async function warningsOf(
  client: Client,
  { place, uid }: { place: Place; uid: string },
  signal: AbortSignal,
): Promise<string[]> {
  const path = `/api/v1/namespaces/${place.namespace}/events`
  const query = { fieldSelector: `involvedObject.uid=${uid},type=Warning` }
  const answer = await client.ask({ method: 'GET', path, query }, signal)
  if (answer.status !== 200) return []
  const { items } = answer.body as CoreV1EventList // asked for as such
  return items
    .sort((one, other) => (timeOf(one) < timeOf(other) ? -1 : 1))
    .slice(-warnings)
    .map(({ reason, message, count }) => `${reason}: ${message}${count && count > 1 ? ` (${count} times)` : ''}`)
}

/** Raw JSON: times are text, and sort as text. */
function timeOf({ lastTimestamp, eventTime, metadata }: CoreV1Event): string {
  return String(lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '')
}

/** Where quota or admission keeps pods from being made there is no pod to ask: the Deployment knows. */
async function refusals(
  client: Client,
  { place, slot }: { place: Place; slot: string },
  signal: AbortSignal,
): Promise<Finding[]> {
  const list = await client.read<V1DeploymentList>(
    { path: place.deployments, query: { labelSelector: place.selector } },
    signal,
  )
  return (list?.items ?? [])
    .filter((deployment) => slotLabel(deployment) === labelValue(slot))
    .flatMap((deployment) => {
      const failure = deployment.status?.conditions?.find(
        ({ type, status }) => type === 'ReplicaFailure' && status === 'True',
      )
      if (!failure) return []
      return [
        { id: nameOf(deployment), reason: failure.reason ?? 'ReplicaFailure', lastOutput: [failure.message ?? ''] },
      ]
    })
}

import type { Context, InstanceSpec } from '@kiwi/core'
import type { V1OwnerReference, V1Secret, V1SecretList } from '@kubernetes/client-node'
import { refused } from '../errors.js'
import type { Client } from '../transport/client.js'
import { labels, type Place } from './names.js'
import { secretsOf } from './pod.js'
import { nameOf } from './read.js'

export interface SecretHolder {
  readonly place: Place
  /** The label of the slot or task that the Secret is for. */
  readonly label: Readonly<Record<string, string>>
  /** The Deployment's or Job's name: the Secret's begins with it. */
  readonly name: string
}

/**
 * Puts the values of the spec's secret references into one immutable Secret and gives its name; `undefined` when there are none.
 * The name is random and found again by what it holds: a name made from the values would help to guess them.
 */
export async function ensureSecret(
  client: Client,
  { place, label, name }: SecretHolder,
  options: { spec: InstanceSpec; owner: V1OwnerReference },
  context: Context,
): Promise<string | undefined> {
  const data = await dataOf(options.spec, context)
  if (data === undefined) return undefined
  const own = { ...place.labels, ...label }
  const labelSelector = Object.entries(own)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
  const list = await client.read<V1SecretList>({ path: place.secrets, query: { labelSelector } }, context.signal)
  const found = list?.items.find((secret) => secret.immutable === true && same(secret.data ?? {}, data))
  if (found) return nameOf(found)
  const body: V1Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      generateName: `${name}-`,
      labels: { ...own, [labels.managedBy]: 'kiwi' },
      ownerReferences: [options.owner],
    },
    immutable: true,
    data,
  }
  const asked = { method: 'POST', path: place.secrets, body } as const
  const answer = await client.ask(asked, context.signal)
  if (answer.status >= 300) throw refused(answer, asked)
  return nameOf(answer.body as V1Secret) // what was created, as the server kept it
}

/** Until now the target owned the Secret; from here on it goes when its Deployment or Job goes. */
export async function giveSecretTo(
  client: Client,
  path: string,
  owner: V1OwnerReference,
  signal: AbortSignal,
): Promise<void> {
  const body = [{ op: 'replace', path: '/metadata/ownerReferences', value: [owner] }]
  const asked = { method: 'PATCH', path, body, contentType: 'application/json-patch+json' } as const
  const answer = await client.ask(asked, signal)
  if (answer.status >= 300 && answer.status !== 404) throw refused(answer, asked)
}

/** All values in base64, by the variable they are for. They leave `context.secret` only to be sent. */
async function dataOf(spec: InstanceSpec, context: Context): Promise<Record<string, string> | undefined> {
  const references = secretsOf(spec)
  if (references.length === 0) return undefined
  const data: Record<string, string> = {}
  for (const [variable, reference] of references) {
    await context.secret(reference, async (value) => {
      data[variable] = Buffer.from(value).toString('base64')
    })
  }
  return data
}

function same(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(one)
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key])
}

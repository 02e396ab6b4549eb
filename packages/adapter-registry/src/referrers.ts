import { type Context, KiwiError, mediaTypes } from '@kiwi/core'
import type { Client } from './client.js'
import { parseReferrers, type Referrer, readFallback, type Subject } from './fallback.js'
import { nextPage } from './link.js'
import { pullScope } from './scopes.js'

export interface ReferrersOptions {
  /** Only those of this type. */
  readonly artifactType?: string | undefined
}

const limitBytes = 8 * 1024 * 1024
const maximumPages = 1000

/** What names the digest as its subject: by the registry's list, or by the fallback tag where it keeps none. Empty where there is none. */
export async function* listReferrers(
  client: Client,
  place: Subject,
  { artifactType }: ReferrersOptions,
  context: Context,
): AsyncGenerator<Referrer> {
  const name = client.endpoint.repository(place.repository)
  const query = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`
  const asked = new Set<string>()
  let to: string | undefined = `/v2/${name}/referrers/${place.digest}${query}`
  while (to !== undefined) {
    if (asked.has(to) || asked.size === maximumPages) throw endless(client, name)
    asked.add(to)
    const page: Page | undefined = await readPage(client, name, to, context)
    const isFirst = asked.size === 1
    const referrers = page?.referrers ?? (isFirst ? await readFallback(client, place, context) : [])
    const filtered = page?.filtered ?? false
    yield* referrers.filter((one) => artifactType === undefined || filtered || one.artifactType === artifactType)
    to = page?.next
  }
}

interface Page {
  readonly referrers: readonly Referrer[]
  readonly filtered: boolean
  readonly next: string | undefined
}

/** `undefined`: the registry keeps no such list. */
async function readPage(client: Client, name: string, to: string, context: Context): Promise<Page | undefined> {
  const { host } = client.endpoint
  const call = {
    method: 'GET',
    to,
    scopes: [pullScope(name)],
    headers: { accept: mediaTypes.index },
    expect: [200, 404],
    doing: `list the referrers in ${host}/${name}`,
  } as const
  const { answer, bytes } = await client.read(call, limitBytes, context)
  const isList = answer.header('content-type')?.startsWith(mediaTypes.index) ?? false
  if (answer.status === 404 || !isList) return undefined
  const applied = answer.headers('oci-filters-applied').join(',')
  return { referrers: parseReferrers(bytes), filtered: /\bartifactType\b/.test(applied), next: nextPage(answer) }
}

function endless({ endpoint: { host } }: Client, name: string): KiwiError {
  return new KiwiError('REGISTRY_FAILED', `the pages of referrers of ${host}/${name} have no end`, {
    retryable: false,
    evidence: { host },
  })
}

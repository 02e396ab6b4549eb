import { type Context, type Descriptor, type Digest, KiwiError, mediaTypes, parseIndex } from '@kiwi/core'
import type { Client } from './client.js'
import { nextPage } from './link.js'
import { parseDigest } from './names.js'
import { fetchManifest } from './pull.js'
import { putManifest } from './put.js'
import { pullScope } from './scopes.js'

/** A manifest about another one: a signature, a bill of materials, an attestation. */
export interface Referrer extends Descriptor {
  readonly artifactType?: string | undefined
}

export interface ReferrersOptions {
  /** Only those of this type. */
  readonly artifactType?: string | undefined
}

const limitBytes = 8 * 1024 * 1024
const maximumPages = 1000

/** What names the digest as its subject: by the registry's list, or by the fallback tag where it keeps none. Empty where there is none. */
export async function* listReferrers(
  client: Client,
  place: { readonly repository: string; readonly digest: Digest },
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

/**
 * Keeps the fallback tag up where the registry did not say that it took note of the subject (specification, "Pushing Manifests with Subject").
 * `noted`: the answer's `OCI-Subject`.
 */
export async function noteSubject(
  client: Client,
  repository: string,
  stored: { readonly bytes: Uint8Array; readonly mediaType: string; readonly digest: Digest },
  noted: string | undefined,
  context: Context,
): Promise<void> {
  if (noted !== undefined || !Buffer.from(stored.bytes).includes('"subject"')) return
  const { subject, ...manifest } = readSubject(stored.bytes)
  if (subject === undefined) return
  const { mediaType, digest, bytes } = stored
  const own: Referrer = { mediaType, digest, size: bytes.byteLength, ...manifest }
  await inTurn(client, `${repository}@${subject}`, () =>
    changeFallback(client, { repository, digest: subject }, (others) => [...others, own], digest, context),
  )
}

const changing = new WeakMap<Client, Map<string, Promise<unknown>>>()

/** The tag is read and written: in this process, one after another. */
async function inTurn(client: Client, key: string, change: () => Promise<void>): Promise<void> {
  const queue = changing.get(client) ?? new Map<string, Promise<unknown>>()
  changing.set(client, queue)
  const turn = (queue.get(key) ?? Promise.resolve()).then(change)
  const settled = turn.catch(() => undefined)
  queue.set(key, settled)
  await turn.finally(() => {
    if (queue.get(key) === settled) queue.delete(key)
  })
}

/** Other processes change the same tag: whoever sees that it was overwritten writes again. */
const attempts = 5

async function changeFallback(
  client: Client,
  place: { readonly repository: string; readonly digest: Digest },
  change: (referrers: readonly Referrer[]) => readonly Referrer[],
  wanted: Digest,
  context: Context,
): Promise<void> {
  for (let count = 0; count < attempts; count++) {
    const referrers = await readFallback(client, place, context)
    if (referrers.some(({ digest }) => digest === wanted)) return
    const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: change(referrers) }
    const bytes = new TextEncoder().encode(JSON.stringify(index))
    const tag = fallbackTag(place.digest)
    await putManifest(client, place.repository, { bytes, mediaType: mediaTypes.index, tag }, context)
  }
  if ((await readFallback(client, place, context)).some(({ digest }) => digest === wanted)) return
  const { host } = client.endpoint
  throw new KiwiError('CONFLICT', `others keep changing the referrers of ${host}/${place.repository}@${place.digest}`, {
    effect: 'done',
  })
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

async function readFallback(
  client: Client,
  { repository, digest }: { readonly repository: string; readonly digest: Digest },
  context: Context,
): Promise<readonly Referrer[]> {
  const found = await fetchManifest(client, { repository, reference: fallbackTag(digest) }, context)
  return found?.mediaType === mediaTypes.index ? parseReferrers(found.bytes) : []
}

/** `sha256-…` (specification, "Referrers Tag Schema"). */
function fallbackTag(digest: Digest): string {
  const { algorithm, hex } = parseDigest(digest) ?? {}
  if (algorithm === undefined || hex === undefined)
    throw new KiwiError('IMAGE_REFERENCE_INVALID', `'${digest}' is not a digest of a known algorithm`)
  return `${algorithm}-${hex.slice(0, 64)}`
}

function parseReferrers(bytes: Uint8Array): readonly Referrer[] {
  const descriptors = parseIndex(bytes)
  const { manifests } = JSON.parse(new TextDecoder().decode(bytes))
  return descriptors.map((descriptor, index) => {
    const artifactType: unknown = manifests[index]?.artifactType
    return { ...descriptor, ...(typeof artifactType === 'string' && { artifactType }) }
  })
}

/** What a list of referrers says of a manifest. */
function readSubject(bytes: Uint8Array) {
  const { subject, artifactType, config, annotations } = JSON.parse(new TextDecoder().decode(bytes))
  const type: unknown = artifactType ?? config?.mediaType
  const digest: unknown = subject?.digest
  return {
    subject: typeof digest === 'string' && parseDigest(digest) ? digest : undefined,
    ...(typeof type === 'string' && { artifactType: type }),
    ...(typeof annotations === 'object' && annotations !== null && { annotations }),
  }
}

function endless({ endpoint: { host } }: Client, name: string): KiwiError {
  return new KiwiError('REGISTRY_FAILED', `the pages of referrers of ${host}/${name} have no end`, {
    retryable: false,
    evidence: { host },
  })
}

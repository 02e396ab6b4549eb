import { type Context, type Descriptor, digestOf, KiwiError } from '@kiwi/core'
import type { Client } from './client.js'
import { noteSubject } from './fallback.js'
import { accept } from './pull.js'
import { statusOf } from './retry.js'
import type { SeenRepository } from './seen.js'

/** The repository that a sink writes to. */
export interface SinkPlace {
  readonly client: Client
  readonly name: string
  readonly scopes: readonly string[]
  readonly doing: string
  readonly seen: SeenRepository
}

interface Manifest {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly tag?: string | undefined
}

/** One request when the tag is right by now, two when only the tag is missing. */
export async function retag(place: SinkPlace, manifest: Manifest, context: Context): Promise<Descriptor | undefined> {
  const { bytes, mediaType, tag } = manifest
  const digest = digestOf(bytes)
  const found = await look(place, `manifests/${tag ?? digest}`, context, accept).catch(unlessOdd)
  if (found?.status === 200 && found.header('docker-content-digest') === digest) {
    return { mediaType, digest, size: bytes.byteLength }
  }
  if (!found || tag === undefined) return undefined
  if (!refusesIncomplete(found)) {
    const known = await look(place, `manifests/${digest}`, context, accept).catch(unlessOdd)
    if (known?.status !== 200) return undefined
  }
  return putManifest(place, manifest, context).catch((error: unknown) => {
    const status = statusOf(error)
    if (status === 400 || status === 404) return undefined // a part is missing, or the whole repository: everything is copied
    throw error
  })
}

/** Registries made of CNCF distribution say so, and take no manifest whose blobs they do not have. */
function refusesIncomplete(answer: { header(name: string): string | undefined }): boolean {
  return answer.header('docker-distribution-api-version') === 'registry/2.0'
}

/** A registry that cannot answer this question may well take the image. */
function unlessOdd(error: unknown): undefined {
  if (KiwiError.is(error) && error.code === 'REGISTRY_FAILED' && !error.retryable) return undefined
  throw error
}

/** Its digest says what is stored, so it may be sent again. */
export async function putManifest(
  place: SinkPlace,
  { bytes, mediaType, tag }: Manifest,
  context: Context,
): Promise<Descriptor> {
  const { client, name, scopes, doing, seen } = place
  const digest = digestOf(bytes)
  const call = {
    method: 'PUT',
    to: `/v2/${name}/manifests/${tag ?? digest}`,
    scopes,
    doing,
    headers: { 'content-type': mediaType },
    body: bytes,
    expect: [200, 201, 202],
    effect: 'unknown',
    again: true,
  } as const
  let subject: string | undefined
  try {
    const answer = await client.send(call, context)
    await answer.discard()
    subject = answer.header('oci-subject')
    requireSame(digest, answer.header('docker-content-digest'), doing)
  } catch (error) {
    seen.blobs.clear() // what was seen may have been cleared away since
    if (!(await isTaggedAlready(place, tag, digest, error, context))) throw error
  }
  await noteSubject(client, name, { bytes, mediaType, digest }, subject, context)
  return { mediaType, digest, size: bytes.byteLength }
}

/** A tag that must not change may be ours, from a try whose answer was lost. */
async function isTaggedAlready(
  place: SinkPlace,
  tag: string | undefined,
  digest: string,
  error: unknown,
  context: Context,
) {
  if (tag === undefined || !KiwiError.is(error) || error.code !== 'TAG_IMMUTABLE') return false
  const found = await look(place, `manifests/${tag}`, context, accept)
  return found.status === 200 && found.header('docker-content-digest') === digest
}

/** A registry that rewrites manifests stores something else than what was built. */
function requireSame(digest: string, stored: string | undefined, doing: string): void {
  if (stored === undefined || stored === digest) return
  throw new KiwiError('DIGEST_MISMATCH', `cannot ${doing}: it stored ${stored} in place of ${digest}`, {
    effect: 'done',
    retryable: false,
  })
}

/** Whether it is there: a HEAD, answered or 404. */
export async function look({ client, name, scopes, doing }: SinkPlace, at: string, context: Context, type?: string) {
  const headers = type === undefined ? {} : { accept: type }
  const call = { method: 'HEAD', to: `/v2/${name}/${at}`, scopes, doing, headers, expect: [200, 404] } as const
  const answer = await client.send(call, context)
  await answer.discard()
  return answer
}

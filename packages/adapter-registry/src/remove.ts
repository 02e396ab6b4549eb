import { randomUUID } from 'node:crypto'
import { type Context, digestOf, type ImagePlace, KiwiError } from '@kiwi/core'
import { artifactManifest, emptyContent } from './artifact.js'
import type { Client } from './client.js'
import { forgetSubject } from './fallback.js'
import { isTag } from './names.js'
import { describePlace, fetchExactly, fetchManifest, resolveAt } from './pull.js'
import { putManifest } from './put.js'
import { statusOf, wordOf } from './retry.js'
import { deleteScope } from './scopes.js'
import { uploadBlob } from './upload.js'

/**
 * Removes a manifest, with all its tags, by its digest; or one tag, and nothing else, by its name. Answers whether it was there.
 * Rejects with `REGISTRY_DENIED` where the registry does not remove, or not this user.
 */
export async function removeAt(client: Client, place: ImagePlace, context: Context): Promise<boolean> {
  if (!isTag(place.reference)) return removeManifest(client, place, context)
  try {
    return await deleteManifest(client, place, context)
  } catch (error) {
    if (!isUnsupported(error)) throw error
    return untag(client, place, context)
  }
}

/** Read first: what it was about may have to forget it. */
async function removeManifest(client: Client, place: ImagePlace, context: Context): Promise<boolean> {
  const harmless = () => context.signal.throwIfAborted()
  const manifest = await fetchManifest(client, place, context).catch(harmless)
  const removed = await deleteManifest(client, place, context)
  const { repository, reference: digest } = place
  // A list that names what is gone harms less than a removal that is told as failed.
  if (removed && manifest) await forgetSubject(client, repository, { ...manifest, digest }, context).catch(harmless)
  return removed
}

/** For registries of before OCI 1.0, where only digests can be deleted. */
async function untag(client: Client, place: ImagePlace, context: Context): Promise<boolean> {
  const image = await resolveAt(client, place, context)
  const found = image && (await fetchExactly(client, { ...place, reference: image.digest }, context))
  if (!image || !found) return false
  const { repository, reference: tag } = place
  const doing = doingTo(client, place)
  await proveDeletes(client, repository, doing, context)
  const stand = standIn()
  await putManifest(client, repository, { bytes: stand, tag }, context)
  try {
    await deleteManifest(client, { repository, reference: digestOf(stand) }, context, doing)
  } catch (error) {
    const { signal: _, ...rest } = context
    const signal = AbortSignal.timeout(restoreWithinMs)
    await putManifest(client, repository, { ...found, tag }, { ...rest, signal })
    throw error
  }
  return true
}

const restoreWithinMs = 30_000

/**
 * Before the tag is moved: a registry that keeps everything would leave it on the stand-in. Most say so of what they do not even have; the others
 * are left with a manifest that no tag names.
 */
async function proveDeletes(client: Client, repository: string, doing: string, context: Context): Promise<void> {
  const missing = digestOf(Buffer.from(randomUUID()))
  await deleteManifest(client, { repository, reference: missing }, context, doing)
  const expected = { digest: digestOf(emptyContent), size: emptyContent.byteLength }
  const open = async function* () {
    yield emptyContent
  }
  const name = client.endpoint.repository(repository)
  await uploadBlob(client, name, { mediaType: 'application/octet-stream', expected, open }, context)
  const trial = standIn()
  await putManifest(client, repository, { bytes: trial }, context)
  await deleteManifest(client, { repository, reference: digestOf(trial) }, context, doing)
}

/** A manifest that nobody else has: deleting it removes the tag that names it, and no image. */
function standIn(): Uint8Array {
  const annotations = { 'kiwi.untag': randomUUID() }
  return artifactManifest({ artifactType: 'application/vnd.kiwi.untag', blobs: [], annotations })
}

export async function deleteManifest(
  client: Client,
  place: ImagePlace,
  context: Context,
  doing = doingTo(client, place),
): Promise<boolean> {
  const { endpoint } = client
  const name = endpoint.repository(place.repository)
  const call = {
    method: 'DELETE',
    to: `/v2/${name}/manifests/${place.reference}`,
    scopes: [deleteScope(name)],
    expect: [200, 202, 204],
    doing,
    effect: 'unknown',
  } as const
  try {
    const answer = await client.send(call, context)
    await answer.discard()
    return true
  } catch (error) {
    if (KiwiError.is(error) && error.code === 'MANIFEST_UNKNOWN') return false
    if (!isUnsupported(error) || isTag(place.reference)) throw error
    throw new KiwiError('REGISTRY_DENIED', `cannot ${call.doing}: deleting is disabled on ${endpoint.host}`, {
      hint: 'Enable it in the registry (CNCF distribution: storage.delete.enabled, or REGISTRY_STORAGE_DELETE_ENABLED=true), or delete with the vendor’s own tools.',
      cause: error,
    })
  }
}

function doingTo({ endpoint }: Client, place: ImagePlace): string {
  return `delete ${describePlace(endpoint.host, place)}`
}

/** 2.8.2 takes a tag for a malformed digest. */
function isUnsupported(error: unknown): boolean {
  const status = statusOf(error)
  return status === 405 || (status === 400 && /UNSUPPORTED|DIGEST_INVALID|^$/.test(wordOf(error) ?? ''))
}

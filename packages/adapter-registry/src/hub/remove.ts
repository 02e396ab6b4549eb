import { type Context, type Digest, type ImagePlace, KiwiError } from '@kiwi/core'
import type { Client } from '../client.js'
import { isTag } from '../names.js'
import { describePlace, resolveAt } from '../pull.js'
import { deleteManifest } from '../remove.js'
import { statusOf } from '../retry.js'
import { textOf } from '../shape.js'
import type { HubApi, HubCall } from './api.js'
import { scopeHint } from './judge.js'
import { ownPlaceOf } from './names.js'

export interface Hub {
  readonly api: HubApi
  readonly client: Client
}

/** As the contract of registries says. By digest its tags go first: Docker Hub deletes no manifest that something refers to. */
export function removeFromHub(hub: Hub, place: ImagePlace, context: Context): Promise<boolean> {
  return isTag(place.reference) ? removeTag(hub.api, place, context) : removeDigest(hub, place, context)
}

/**
 * One tag, over Docker Hub's API: its registry deletes none. The first way is the one that Docker's own hub-tool goes and all kinds of user but
 * organization access tokens may go; the second is theirs (Docker's documentation, "Access token reference", "Docker Hub API").
 */
export async function removeTag(api: HubApi, place: ImagePlace, context: Context): Promise<boolean> {
  const { namespace, name, full } = ownPlaceOf(place.repository)
  const tag = encodeURIComponent(place.reference)
  const doing = `remove ${sayPlace(place)}`
  const call = { method: 'DELETE', repository: full, expect: [200, 202, 204, 404], doing } as const
  const ways = [
    `/v2/repositories/${namespace}/${name}/tags/${tag}/`,
    `/v2/namespaces/${namespace}/repositories/${name}/tags/${tag}`,
  ] as const
  const status = await firstWay(api, { ...call, path: ways[0] }, context)
  if (status !== undefined && status !== 404) return true
  return (await api.send({ ...call, path: ways[1] }, context)).status !== 404
}

/** `undefined`: not for this kind of token. */
async function firstWay(api: HubApi, call: HubCall, context: Context): Promise<number | undefined> {
  try {
    return (await api.send(call, context)).status
  } catch (error) {
    if (statusOf(error) === 403 && /organization access token/i.test(KiwiError.from(error).message)) return undefined
    throw error
  }
}

async function removeDigest({ api, client }: Hub, place: ImagePlace, context: Context): Promise<boolean> {
  ownPlaceOf(place.repository)
  const first = await tryDelete(client, place, context)
  if (first !== 'referred to') return first
  const tags = await tagsOf({ api, client }, place, context)
  if (tags.length === 0) throw referredTo(place, [], 'none')
  for (const [index, reference] of tags.entries())
    await removeTag(api, { ...place, reference }, context).catch((error: unknown) => {
      throw index === 0 ? error : partly(error, tags.slice(0, index))
    })
  const second = await tryDelete(client, place, context)
  if (second === 'referred to') throw referredTo(place, tags, 'done')
  return true
}

/**
 * Docker's description of its registry API, "DeleteImageManifest": 403 while a tag or another image refers to it, which may also be a missing right;
 * 500 when it takes longer, and Docker Hub itself goes on until it is gone. 405 was the answer to all until 2025.
 */
async function tryDelete(client: Client, place: ImagePlace, context: Context): Promise<boolean | 'referred to'> {
  try {
    return await deleteManifest(client, place, context)
  } catch (error) {
    const status = statusOf(error) ?? statusOf(KiwiError.from(error).cause)
    if (status === 405) throw keepsAll(place, error)
    if (status === 403) return 'referred to'
    if (status === 500) return true
    throw error
  }
}

/** Those of the digest. The listing says most digests; what it leaves open is looked up, which is no pull. */
async function tagsOf({ api, client }: Hub, place: ImagePlace, context: Context): Promise<readonly string[]> {
  const { namespace, name, full } = ownPlaceOf(place.repository)
  const path = `/v2/namespaces/${namespace}/repositories/${name}/tags`
  const listing = { path, repository: full, doing: `list the tags of docker.io/${full}` }
  const tags: string[] = []
  for await (const entry of api.list(listing, context)) {
    const tag = textOf(entry, 'name') ?? ''
    const said = textOf(entry, 'digest')
    if (!isTag(tag) || (said !== undefined && said !== place.reference)) continue
    const found = await resolveAt(client, { ...place, reference: tag }, context)
    if (found?.digest === place.reference) tags.push(tag)
  }
  return tags
}

function keepsAll(place: ImagePlace, cause: unknown): KiwiError {
  return new KiwiError('REGISTRY_DENIED', `cannot remove ${sayPlace(place)}: docker.io deletes no manifests here`, {
    hint: 'Remove its tags by name, or the image on the page of the repository (Image Management).',
    evidence: { host: 'docker.io', status: 405, repository: place.repository },
    cause,
  })
}

function referredTo(place: ImagePlace, removedTags: readonly string[], effect: 'none' | 'done'): KiwiError {
  const had = removedTags.length === 0 ? 'it has no tag, so ' : 'its tags are gone, but '
  return new KiwiError(
    'REGISTRY_DENIED',
    `cannot remove ${sayPlace(place)}: ${had}another image refers to it, or this access token may not delete`,
    {
      effect,
      hint: `Remove the index that it is part of first. ${scopeHint}`,
      evidence: { host: 'docker.io', repository: place.repository, removedTags },
    },
  )
}

function partly(thrown: unknown, removedTags: readonly string[]): KiwiError {
  const error = KiwiError.from(thrown)
  return new KiwiError(error.code, `${error.message} (these tags are removed: ${removedTags.join(', ')})`, {
    effect: 'done',
    hint: error.hint,
    retryable: error.retryable,
    evidence: error.evidence,
    cause: thrown,
  })
}

function sayPlace(place: { readonly repository: string; readonly reference: Digest }): string {
  return describePlace('docker.io', place)
}

import { mediaTypes } from '@kiwi/core'
import { parseDigest } from '../names.js'
import { type Answer, json, refuse } from './answer.js'
import type { Asked } from './route.js'

/** More come in pages, linked: clients cap what they read at once at 4 MiB, as for a manifest. */
const pageSize = 500

/** GET of the manifests whose `subject` is the digest (specification, "Listing Referrers"). */
export async function answerReferrers(asked: Asked): Promise<Answer> {
  const { storage, repository, reference: subject, query } = asked
  if (!parseDigest(subject)) return refuse(400, 'DIGEST_INVALID', 'the digest is not well-formed')
  const last = query.get('last') ?? ''
  const all = (await storage.repositories.referrers(repository, subject)).filter((digest) => digest > last)
  const digests = all.slice(0, pageSize)
  const described = await Promise.all(digests.map((digest) => describe(asked, digest)))
  const wanted = query.get('artifactType')
  const manifests = described.filter(
    (manifest) => manifest !== undefined && (wanted === null || manifest.artifactType === wanted),
  )
  const next = digests.length < all.length ? digests.at(-1) : undefined
  return json(
    200,
    { schemaVersion: 2, mediaType: mediaTypes.index, manifests },
    {
      'content-type': mediaTypes.index,
      ...(wanted !== null && { 'oci-filters-applied': 'artifactType' }),
      ...(next !== undefined && { link: nextPage(asked, next, wanted) }),
    },
  )
}

function nextPage({ repository, reference }: Asked, last: string, artifactType: string | null): string {
  const query = new URLSearchParams({ ...(artifactType !== null && { artifactType }), last })
  return `</v2/${repository}/referrers/${reference}?${query}>; rel="next"`
}

async function describe({ storage, repository }: Asked, digest: string) {
  const mediaType = await storage.repositories.manifestType(repository, digest)
  const size = await storage.content.size(digest)
  if (mediaType === undefined || size === undefined) return undefined
  const { artifactType, config, annotations } = JSON.parse((await storage.content.readBytes(digest)).toString())
  return { mediaType, digest, size, artifactType: artifactType ?? config?.mediaType, annotations }
}

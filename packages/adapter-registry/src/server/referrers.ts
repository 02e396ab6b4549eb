import { mediaTypes } from '@kiwi/core'
import { parseDigest } from '../names.js'
import { type Answer, json, refuse } from './answer.js'
import type { Asked } from './route.js'

/** GET of the manifests whose `subject` is the digest (specification, "Listing Referrers"). */
export async function answerReferrers(asked: Asked): Promise<Answer> {
  const { storage, repository, reference: subject, query } = asked
  if (!parseDigest(subject)) return refuse(400, 'DIGEST_INVALID', 'the digest is not well-formed')
  const digests = await storage.repositories.referrers(repository, subject)
  const described = await Promise.all(digests.map((digest) => describe(asked, digest)))
  const wanted = query.get('artifactType')
  const manifests = described.filter(
    (manifest) => manifest !== undefined && (wanted === null || manifest.artifactType === wanted),
  )
  return json(
    200,
    { schemaVersion: 2, mediaType: mediaTypes.index, manifests },
    { 'content-type': mediaTypes.index, ...(wanted !== null && { 'oci-filters-applied': 'artifactType' }) },
  )
}

async function describe({ storage, repository }: Asked, digest: string) {
  const mediaType = await storage.repositories.manifestType(repository, digest)
  const size = await storage.content.size(digest)
  if (mediaType === undefined || size === undefined) return undefined
  const { artifactType, config, annotations } = JSON.parse((await storage.content.readBytes(digest)).toString())
  return { mediaType, digest, size, artifactType: artifactType ?? config?.mediaType, annotations }
}

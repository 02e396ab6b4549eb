import { createHash } from 'node:crypto'
import { isTag, parseDigest } from '../names.js'
import { type Answer, empty, isKnown, refuse } from './answer.js'
import { readManifest } from './manifest-body.js'
import type { Asked } from './route.js'

/** GET, HEAD, PUT and DELETE of a manifest by tag or digest. */
export async function answerManifest(asked: Asked): Promise<Answer> {
  const { method, reference } = asked
  if (!isTag(reference) && !parseDigest(reference)) {
    return reference.includes(':')
      ? refuse(400, 'DIGEST_INVALID', 'the digest is not well-formed')
      : refuse(400, 'TAG_INVALID', 'the tag is not well-formed')
  }
  if (method === 'PUT') return put(asked)
  return method === 'DELETE' ? remove(asked) : get(asked)
}

async function get({ storage, method, repository, reference, headers, signal }: Asked): Promise<Answer> {
  const { content, repositories } = storage
  const digest = isTag(reference) ? await repositories.tag(repository, reference) : reference
  const mediaType = digest === undefined ? undefined : await repositories.manifestType(repository, digest)
  if (digest === undefined || mediaType === undefined) return unknown(reference)
  const size = await content.keep(digest)
  if (size === undefined) return unknown(reference)
  const common = { 'content-type': mediaType, 'docker-content-digest': digest, etag: `"${digest}"` }
  if (isKnown(headers['if-none-match'], digest)) return { status: 304, headers: common }
  return {
    status: 200,
    headers: { ...common, 'content-length': String(size) },
    body: method === 'HEAD' ? undefined : content.read(digest, { signal }),
  }
}

async function put(asked: Asked): Promise<Answer> {
  const { storage, repository, reference, query } = asked
  const more = query.getAll('tag')
  if (!more.every(isTag)) return refuse(400, 'TAG_INVALID', 'a tag is not well-formed')
  const read = await readManifest(asked)
  if ('status' in read) return read
  const { bytes, mediaType, subject } = read
  const digest = hash(bytes, parseDigest(reference)?.algorithm ?? 'sha256')
  if (!isTag(reference) && reference !== digest) {
    return refuse(400, 'DIGEST_INVALID', 'the manifest is not the one of the digest', { detail: { digest } })
  }
  await storage.content.writeBytes(bytes, digest)
  await storage.content.sync()
  const tags = isTag(reference) ? [reference, ...more] : more
  await storage.repositories.addManifest(repository, { digest, mediaType, tags })
  if (subject !== undefined) await storage.repositories.addReferrer(repository, subject, digest)
  return empty(201, {
    location: `/v2/${repository}/manifests/${digest}`,
    'docker-content-digest': digest,
    ...(subject !== undefined && { 'oci-subject': subject }),
    ...(more.length > 0 && { 'oci-tag': more }),
  })
}

async function remove({ storage: { repositories }, repository, reference }: Asked): Promise<Answer> {
  const removed = isTag(reference)
    ? await repositories.removeTag(repository, reference)
    : await repositories.removeManifest(repository, reference)
  return removed ? empty(202) : unknown(reference)
}

function hash(bytes: Uint8Array, algorithm: 'sha256' | 'sha512'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`
}

function unknown(reference: string): Answer {
  return refuse(404, 'MANIFEST_UNKNOWN', 'the repository has no such manifest', { detail: { reference } })
}

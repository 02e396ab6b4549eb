import { parseDigest } from '../names.js'
import { type Answer, empty, isKnown, refuse } from './answer.js'
import { parseRange } from './range.js'
import type { Asked } from './route.js'

/** GET (whole or a range), HEAD and DELETE of one blob. */
export async function answerBlob(asked: Asked): Promise<Answer> {
  const { storage, method, repository, reference: digest, headers, signal } = asked
  if (!parseDigest(digest)) return refuse(400, 'DIGEST_INVALID', 'the digest is not well-formed')
  if (method === 'DELETE') {
    return (await storage.repositories.unlinkBlob(repository, digest)) ? empty(202) : unknown(digest)
  }
  const linked = await storage.repositories.hasBlob(repository, digest)
  const size = linked ? await storage.content.keep(digest) : undefined
  if (size === undefined) return unknown(digest)
  const common = {
    'docker-content-digest': digest,
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag: `"${digest}"`,
  }
  if (isKnown(headers['if-none-match'], digest)) return { status: 304, headers: common }
  const isSame = headers['if-range'] === undefined || headers['if-range'] === common.etag
  const range = isSame ? parseRange(headers.range, size) : undefined
  if (range === 'unsatisfiable') {
    return refuse(416, 'RANGE_INVALID', `the blob has ${size} bytes`, {
      headers: { 'content-range': `bytes */${size}` },
    })
  }
  const { start, end } = range ?? { start: 0, end: size - 1 }
  const body = method === 'HEAD' || size === 0 ? undefined : storage.content.read(digest, { start, end, signal })
  return {
    status: range ? 206 : 200,
    headers: {
      ...common,
      'content-length': String(end - start + 1),
      ...(range && { 'content-range': `bytes ${start}-${end}/${size}` }),
    },
    body,
  }
}

function unknown(digest: string): Answer {
  return refuse(404, 'BLOB_UNKNOWN', 'the repository has no such blob', { detail: { digest } })
}

import { isRepository, isUploadId, parseDigest } from '../names.js'
import { type Answer, empty, refuse } from './answer.js'
import type { Asked } from './route.js'

/** POST: starts an upload, mounts a blob of another repository, or takes the whole blob at once. */
export async function startUpload(asked: Asked): Promise<Answer> {
  const { storage, repository, query } = asked
  const mount = query.get('mount')
  if (mount && (await mayMount(asked, mount, query.get('from')))) {
    await storage.repositories.linkBlob(repository, mount)
    return created(repository, mount)
  }
  const whole = query.get('digest')
  if (whole && !parseDigest(whole)) return refuse(400, 'DIGEST_INVALID', 'the digest is not well-formed')
  const isLong = query.get('digest-algorithm') === 'sha512' || whole?.startsWith('sha512:')
  const id = await storage.uploads.begin(isLong ? 'sha512' : 'sha256')
  return whole ? finish({ ...asked, reference: id }, whole) : accepted(202, repository, id, 0)
}

/** GET, PATCH, PUT and DELETE of an upload that was started. */
export async function answerUpload(asked: Asked): Promise<Answer> {
  const { storage, method, repository, reference: id, query } = asked
  const size = isUploadId(id) ? await storage.uploads.size(id) : undefined
  if (size === undefined) return unknown()
  if (method === 'GET' || method === 'HEAD') return accepted(204, repository, id, size)
  if (method === 'DELETE') {
    await storage.uploads.cancel(id)
    return empty(204)
  }
  if (method === 'PUT') return finish(asked, query.get('digest') ?? '')
  const appended = await append(asked)
  return typeof appended === 'number' ? accepted(202, repository, id, appended) : appended
}

/** Without `from`, anything in the folder may be mounted. */
async function mayMount({ storage }: Asked, digest: string, from: string | null): Promise<boolean> {
  if (!parseDigest(digest) || (from !== null && !isRepository(from))) return false
  if (from !== null && !(await storage.repositories.hasBlob(from, digest))) return false
  return (await storage.content.keep(digest)) !== undefined
}

async function finish(asked: Asked, digest: string): Promise<Answer> {
  const { storage, repository, reference: id } = asked
  if (!parseDigest(digest)) return refuse(400, 'DIGEST_INVALID', 'the digest is not well-formed')
  const appended = await append(asked)
  if (typeof appended !== 'number') return appended
  if (!(await storage.uploads.finish(id, digest))) {
    const detail = { digest }
    return refuse(400, 'DIGEST_INVALID', 'the bytes that arrived are not those of the digest', { detail })
  }
  await storage.repositories.linkBlob(repository, digest)
  return created(repository, digest)
}

/** The new size, or why nothing was appended. Chunks come in order, each as long as it says (specification, "Pushing a blob in chunks"). */
async function append(asked: Asked): Promise<number | Answer> {
  const { storage, rules, repository, reference: id, headers, body, signal } = asked
  const chunk = parseChunk(headers['content-range'])
  const length = headers['content-length']
  if (chunk === 'malformed') return refuse(416, 'RANGE_INVALID', 'Content-Range is FIRST-LAST')
  if (chunk && length !== undefined && Number(length) !== chunk.length) {
    return refuse(400, 'SIZE_INVALID', `the range is ${chunk.length} bytes long, the chunk ${length}`)
  }
  const limitBytes = rules.blobBytes
  const { state, size } = await storage.uploads.append(id, body, { at: chunk?.first, limitBytes, signal })
  if (state === 'appended') return size
  if (state === 'unknown') return unknown()
  if (state === 'too-large') return refuse(413, 'SIZE_INVALID', `a blob may have ${limitBytes} bytes`)
  const { headers: place = {} } = accepted(204, repository, id, size)
  return refuse(416, 'RANGE_INVALID', `the next chunk has to begin at ${size}`, { headers: place })
}

function parseChunk(range: string | undefined) {
  if (range === undefined) return undefined
  const [match, first, last] = /^(?:bytes )?(\d+)-(\d+)$/.exec(range) ?? []
  if (match === undefined || Number(last) < Number(first)) return 'malformed'
  return { first: Number(first), length: Number(last) - Number(first) + 1 }
}

function unknown(): Answer {
  return refuse(404, 'BLOB_UPLOAD_UNKNOWN', 'there is no such upload')
}

function accepted(status: 202 | 204, repository: string, id: string, size: number): Answer {
  const headers = {
    location: `/v2/${repository}/blobs/uploads/${id}`,
    range: `0-${Math.max(size - 1, 0)}`,
    'docker-upload-uuid': id,
  }
  return status === 204 ? { status, headers } : empty(status, headers)
}

function created(repository: string, digest: string): Answer {
  return empty(201, { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest })
}

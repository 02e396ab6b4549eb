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
  const id = await storage.uploads.begin()
  return whole ? finish({ ...asked, reference: id }, whole) : accepted(202, repository, id, 0)
}

/** GET, PATCH, PUT and DELETE of an upload that was started. */
export async function answerUpload(asked: Asked): Promise<Answer> {
  const { storage, method, repository, reference: id, query, headers, body, signal } = asked
  const size = isUploadId(id) ? await storage.uploads.size(id) : undefined
  if (size === undefined) return refuse(404, 'BLOB_UPLOAD_UNKNOWN', 'there is no such upload')
  if (method === 'GET') return accepted(204, repository, id, size)
  if (method === 'DELETE') {
    await storage.uploads.cancel(id)
    return empty(204)
  }
  const refusal = checkChunk(headers['content-range'], headers['content-length'], size)
  if (refusal) return refusal
  if (method === 'PATCH') return accepted(202, repository, id, await storage.uploads.append(id, body, signal))
  const digest = query.get('digest') ?? ''
  return parseDigest(digest) ? finish(asked, digest) : refuse(400, 'DIGEST_INVALID', 'the digest is not well-formed')
}

/** Without `from`, anything in the folder may be mounted. */
async function mayMount({ storage }: Asked, digest: string, from: string | null): Promise<boolean> {
  if (!parseDigest(digest) || (from !== null && !isRepository(from))) return false
  if (from !== null && !(await storage.repositories.hasBlob(from, digest))) return false
  return (await storage.content.size(digest)) !== undefined
}

/** Chunks come in order, each as long as it says (specification, "Pushing a blob in chunks"). */
function checkChunk(range: string | undefined, length: string | undefined, size: number): Answer | undefined {
  if (range === undefined) return undefined
  const [match, first, last] = /^(?:bytes )?(\d+)-(\d+)$/.exec(range) ?? []
  if (match === undefined || Number(first) !== size || Number(last) < Number(first)) {
    return refuse(416, 'RANGE_INVALID', `the next chunk has to begin at ${size}`)
  }
  const announced = Number(last) - Number(first) + 1
  if (length === undefined || Number(length) === announced) return undefined
  return refuse(400, 'SIZE_INVALID', `the range is ${announced} bytes long, the chunk ${length}`)
}

async function finish({ storage, repository, reference: id, body, signal }: Asked, digest: string): Promise<Answer> {
  await storage.uploads.append(id, body, signal)
  if (!(await storage.uploads.finish(id, digest))) {
    return refuse(400, 'DIGEST_INVALID', 'the bytes that arrived are not those of the digest', { digest })
  }
  await storage.repositories.linkBlob(repository, digest)
  return created(repository, digest)
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

import { createHash } from 'node:crypto'
import { type BlobUpload, type Context, KiwiError, verified } from '@kiwi/core'
import type { Client } from './client.js'
import type { HttpAnswer } from './connect.js'
import { reportProgress } from './progress.js'
import { pullScope, pushScope } from './scopes.js'

/** Blobs up to this size are held in memory, checked before they are sent, and sent again when the registry asks for a sign-in. */
const smallBytes = 1024 * 1024
/** A hint to the registry that must not keep a cancelled run. */
const cancelWithinMs = 2000

export interface Uploaded {
  readonly digest: string
  readonly size: number
  readonly mounted: boolean
}

/** Sends one blob: mounted when the registry can, else in one request when its size is known, else as one stream. */
export async function uploadBlob(
  client: Client,
  name: string,
  upload: BlobUpload,
  context: Context,
): Promise<Uploaded> {
  const target = { client, scopes: [pushScope(name)], doing: `push to ${client.endpoint.host}/${name}` }
  const { expected } = upload
  const from = upload.mountFrom?.registry === client.endpoint.host ? upload.mountFrom.repository : undefined
  const start = await begin(target, name, expected && from ? { digest: expected.digest, from } : undefined, context)
  if (expected && start === 'mounted') return { ...expected, mounted: true }
  if (start === 'mounted') throw new KiwiError('REGISTRY_FAILED', `${client.endpoint.host} mounted what nobody named`)
  try {
    const sent = expected
      ? await sendKnown(target, start, upload, expected, context)
      : await sendUnknown(target, start, upload, context)
    return { ...sent, mounted: false }
  } catch (error) {
    await cancelUpload(target, start, context)
    throw error
  }
}

/** Starts an upload and cancels it: the only proof of the right to push. */
export async function tryUpload(client: Client, name: string, context: Context): Promise<void> {
  const target = { client, scopes: [pushScope(name)], doing: `push to ${client.endpoint.host}/${name}` }
  const start = await begin(target, name, undefined, context)
  if (start !== 'mounted') await cancelUpload(target, start, context)
}

interface Target {
  readonly client: Client
  readonly scopes: readonly string[]
  readonly doing: string
}

/** Answers the address of the upload. A mount that does not work out is an upload that has begun already. */
async function begin(
  { client, scopes, doing }: Target,
  name: string,
  mount: { readonly digest: string; readonly from: string } | undefined,
  context: Context,
): Promise<URL | 'mounted'> {
  const to = `/v2/${name}/blobs/uploads/`
  const call = { method: 'POST', scopes, doing, headers: { 'content-length': '0' }, again: true } as const
  if (mount) {
    const query = new URLSearchParams({ mount: mount.digest, from: mount.from })
    const both = [...scopes, pullScope(mount.from)]
    // any refusal of a mount says nothing about an upload
    const answer = await client
      .send({ ...call, to: `${to}?${query}`, scopes: both, expect: [201, 202] }, context)
      .catch((error: unknown) => (isRefusal(error) ? undefined : Promise.reject(error)))
    await answer?.discard()
    if (answer) return answer.status === 201 ? 'mounted' : locationOf(answer, client)
  }
  const answer = await client.send({ ...call, to, expect: [202] }, context)
  await answer.discard()
  return locationOf(answer, client)
}

function isRefusal(error: unknown): boolean {
  return KiwiError.is(error) && error.code !== 'REGISTRY_UNREACHABLE' && error.code !== 'RATE_LIMITED'
}

async function sendKnown(
  { client, scopes, doing }: Target,
  location: URL,
  upload: BlobUpload,
  expected: NonNullable<BlobUpload['expected']>,
  context: Context,
) {
  const content = reportProgress(verified(upload.open(0), expected), expected, 'push', context)
  const body = expected.size <= smallBytes ? await collect(content) : content
  await commit({ client, scopes, doing }, location, expected.digest, { body, size: expected.size }, context)
  return expected
}

/** Hashes while it sends, so that a builder's output goes to the registry in one pass. */
async function sendUnknown({ client, scopes, doing }: Target, location: URL, upload: BlobUpload, context: Context) {
  const hash = createHash('sha256')
  let size = 0
  const body = async function* () {
    for await (const chunk of upload.open(0)) {
      hash.update(chunk)
      size += chunk.byteLength
      yield chunk
    }
  }
  const headers = { 'content-type': 'application/octet-stream' }
  const answer = await client.send(
    { method: 'PATCH', to: location, scopes, doing, headers, body: body(), expect: [201, 202, 204] },
    context,
  )
  await answer.discard()
  const digest = `sha256:${hash.digest('hex')}`
  await commit(
    { client, scopes, doing },
    locationOf(answer, client),
    digest,
    { body: new Uint8Array(), size: 0 },
    context,
  )
  return { digest, size }
}

async function commit(
  { client, scopes, doing }: Target,
  location: URL,
  digest: string,
  { body, size }: { readonly body: Uint8Array | AsyncIterable<Uint8Array>; readonly size: number },
  context: Context,
): Promise<void> {
  const to = new URL(location)
  to.searchParams.append('digest', digest)
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(size) }
  const answer = await client.send({ method: 'PUT', to, scopes, doing, headers, body, expect: [201, 204] }, context)
  await answer.discard()
}

/** Always the newest address: it holds the state of the upload. Behind a proxy it may name the wrong scheme. */
function locationOf(answer: HttpAnswer, { endpoint }: Client): URL {
  const location = answer.header('location')
  if (location === undefined) {
    throw new KiwiError('REGISTRY_FAILED', `${endpoint.host} started an upload but does not say where`, {
      evidence: { host: endpoint.host, status: answer.status },
    })
  }
  const url = new URL(location, answer.url)
  const own = new URL(endpoint.origin)
  if (url.host === own.host) url.protocol = own.protocol
  return url
}

async function cancelUpload({ client, scopes, doing }: Target, location: URL, context: Context): Promise<void> {
  const signal = AbortSignal.timeout(cancelWithinMs)
  try {
    const answer = await client.send(
      { method: 'DELETE', to: location, scopes, doing, expect: [200, 202, 204, 404] },
      { ...context, signal },
    )
    await answer.discard()
  } catch {
    // the registry clears away forgotten uploads by itself
  }
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

import { type Context, KiwiError } from '@kiwi/core'
import type { Client } from './client.js'
import type { HttpAnswer } from './connect.js'
import { statusOf } from './retry.js'
import { pullScope, pushScope } from './scopes.js'

/** The repository that a blob is sent to. */
export interface Target {
  readonly client: Client
  readonly name: string
  readonly scopes: readonly string[]
  readonly doing: string
}

/** An upload that the registry keeps. `location` is always the newest address: it holds the state of the upload. */
export interface Session {
  location: URL
  /** The registry takes no smaller chunks, but for the last one. */
  readonly minimumChunkBytes: number
}

export interface Part {
  readonly body: Uint8Array | AsyncIterable<Uint8Array>
  /** Left out: sent as a stream without a length. */
  readonly range?: { readonly offset: number; readonly size: number } | undefined
}

/** A hint to the registry that must not keep a cancelled run. */
const cancelWithinMs = 2000
const octets = { 'content-type': 'application/octet-stream' }

export function targetOf(client: Client, name: string): Target {
  return { client, name, scopes: [pushScope(name)], doing: `push to ${client.endpoint.host}/${name}` }
}

/** Starts an upload. A mount that does not work out is an upload that has begun already. */
export async function begin(
  { client, name, scopes, doing }: Target,
  mount: { readonly digest: string; readonly from: string } | undefined,
  context: Context,
): Promise<Session | 'mounted'> {
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
    if (answer?.status === 201) return 'mounted'
    if (answer?.header('location') !== undefined) return sessionOf(answer, client)
  }
  const tries = client.tries()
  for (;;) {
    const answer = await client.send({ ...call, to, expect: [202] }, context)
    await answer.discard()
    if (answer.header('location') !== undefined) return sessionOf(answer, client)
    await tries.next(lostLocation(client, answer.status), context)
  }
}

function isRefusal(error: unknown): boolean {
  return KiwiError.is(error) && error.code !== 'REGISTRY_UNREACHABLE' && error.code !== 'RATE_LIMITED'
}

function sessionOf(answer: HttpAnswer, client: Client): Session {
  const minimum = Number(answer.header('oci-chunk-min-length') ?? 0)
  const location = newest(answer, client)
  if (!location) throw lostLocation(client, answer.status)
  return { location, minimumChunkBytes: Number.isSafeInteger(minimum) ? minimum : 0 }
}

function lostLocation({ endpoint: { host } }: Client, status: number): KiwiError {
  return new KiwiError('REGISTRY_FAILED', `${host} started an upload but does not say where`, {
    evidence: { host, status },
  })
}

/** How many bytes of the upload the registry has; `undefined` when it has no such upload, or does not say. */
export async function readBack(target: Target, session: Session, context: Context): Promise<number | undefined> {
  const { client, scopes, doing } = target
  const gone = [400, 404, 405, 410]
  const call = { method: 'GET', to: session.location, scopes, doing, expect: [200, 202, 204, ...gone] } as const
  const answer = await client.send(call, context)
  await answer.discard()
  if (gone.includes(answer.status)) return undefined
  session.location = newest(answer, client) ?? session.location
  return bytesIn(answer)
}

/** Sends a part of the blob. Answers how many bytes of it all the registry says it has, where it says so. */
export async function sendPart(target: Target, session: Session, part: Part, context: Context) {
  const { client, scopes, doing } = target
  const { body, range } = part
  const headers = range && {
    'content-length': String(range.size),
    'content-range': `${range.offset}-${range.offset + range.size - 1}`,
  }
  const call = { method: 'PATCH', to: session.location, scopes, doing, body, tries: 1 } as const
  const answer = await client.send({ ...call, headers: { ...octets, ...headers }, expect: [201, 202, 204] }, context)
  await answer.discard()
  const location = newest(answer, client)
  if (!location) return readBack(target, session, context)
  session.location = location
  return bytesIn(answer)
}

/** Sends the end of the blob, which may be nothing, and has it stored under its digest. */
export async function commit(
  { client, scopes, doing }: Target,
  { location }: Session,
  digest: string,
  { body, size }: { readonly body: Uint8Array | AsyncIterable<Uint8Array>; readonly size: number },
  context: Context,
): Promise<void> {
  const to = new URL(location)
  to.searchParams.append('digest', digest)
  const headers = { ...octets, 'content-length': String(size) }
  const call = { method: 'PUT', to, scopes, doing, headers, body, expect: [201, 204], tries: 1 } as const
  const answer = await client.send(call, context)
  await answer.discard()
}

/** For after a lost answer: what was asked for may have been done. */
export async function isStored({ client, name, scopes, doing }: Target, digest: string, context: Context) {
  const to = `/v2/${name}/blobs/${digest}`
  const answer = await client.send({ method: 'HEAD', to, scopes, doing, expect: [200, 404] }, context)
  await answer.discard()
  return answer.status === 200
}

/** Best effort: the registry clears away forgotten uploads by itself. */
export async function cancel({ client, scopes, doing }: Target, { location }: Session, context: Context) {
  const signal = AbortSignal.timeout(cancelWithinMs)
  const call = { method: 'DELETE', to: location, scopes, doing, expect: [200, 202, 204, 404], tries: 1 } as const
  try {
    const answer = await client.send(call, { ...context, signal })
    await answer.discard()
  } catch {}
}

/** Behind a proxy a registry may name the wrong scheme. */
function newest(answer: HttpAnswer, { endpoint }: Client): URL | undefined {
  const location = answer.header('location')
  const url = location === undefined ? null : URL.parse(location, answer.url.href)
  if (!url) return undefined
  const own = new URL(endpoint.origin)
  if (url.host === own.host) url.protocol = own.protocol
  return url
}

/** `Range: 0-N`. `0-0` means one byte to some registries and none to others: it counts as none. */
function bytesIn(answer: HttpAnswer): number | undefined {
  const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(answer.header('range')?.trim() ?? '') ?? []
  return last === undefined ? undefined : last === '0' ? 0 : Number(last) + 1
}

/** Refusals that tell of the upload's state, not of the right to push. */
const stateWords = new Set(['BLOB_UPLOAD_UNKNOWN', 'BLOB_UPLOAD_INVALID', 'RANGE_INVALID', 'SIZE_INVALID'])
export function isAboutState(error: unknown, word: string | undefined): boolean {
  const status = statusOf(error)
  return status === 404 || status === 410 || status === 416 || (status === 400 && stateWords.has(word ?? ''))
}

import { type Context, type Descriptor, KiwiError, mismatch } from '@kiwi/core'
import type { Client } from './client.js'
import type { HttpAnswer } from './connect.js'
import { isPassing } from './retry.js'
import { pullScope } from './scopes.js'

/** That much between two cuts is a connection that works: tries are counted anew. */
const advanceBytes = 64 * 1024

/** The bytes of a blob from the offset on, over as many requests as it takes. Whether they are the right ones is for the caller to see. */
export async function* readBlob(
  client: Client,
  name: string,
  descriptor: Pick<Descriptor, 'digest' | 'size'>,
  offsetBytes: number,
  context: Context,
): AsyncGenerator<Uint8Array> {
  const { digest, size } = descriptor
  const tries = client.tries()
  let at = offsetBytes
  let counted = at
  let etag: string | undefined
  if (at >= size && at > 0) return
  for (;;) {
    const answer = await ask(client, name, digest, { at, etag }, context)
    etag = etagOf(answer) ?? etag
    try {
      for await (const chunk of skip(answer.body, at - startOf(answer, at))) {
        at += chunk.byteLength
        if (at > size) throw mismatch(descriptor, `more than ${size} bytes`)
        yield chunk
      }
      if (at === size) return
      throw cutShort(client, name, { digest, size, at })
    } catch (error) {
      if (!isPassing(error)) throw error
      if (at === size) return // cut after the last byte
      if (at - counted >= advanceBytes) tries.advanced()
      counted = at
      context.report({ type: 'blob', direction: 'pull', digest, state: 'retrying', bytes: at, totalBytes: size })
      await tries.next(error, context)
    }
  }
}

function ask(
  client: Client,
  name: string,
  digest: string,
  { at, etag }: { readonly at: number; readonly etag: string | undefined },
  context: Context,
) {
  const range = at > 0 && { range: `bytes=${at}-`, ...(etag !== undefined && { 'if-range': etag }) }
  const call = {
    method: 'GET',
    to: `/v2/${name}/blobs/${digest}`,
    scopes: [pullScope(name)],
    headers: { ...range },
    expect: [200, 206],
    doing: `pull ${digest} from ${client.endpoint.host}/${name}`,
  } as const
  return client.send(call, context)
}

/** Where the body begins: a registry that ignores the range sends everything. */
function startOf(answer: HttpAnswer, asked: number): number {
  if (answer.status === 200) return 0
  const [, first] = /^bytes (\d+)-/.exec(answer.header('content-range') ?? '') ?? []
  const start = first === undefined ? asked : Number(first)
  if (start <= asked) return start
  throw new KiwiError(
    'REGISTRY_FAILED',
    `${answer.url.host} sends bytes from ${start} on, and was asked for ${asked}`,
    {
      retryable: false,
      evidence: { host: answer.url.host, askedByte: asked, sentByte: start },
    },
  )
}

async function* skip(content: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  if (bytes === 0) return yield* content
  let left = bytes
  for await (const chunk of content) {
    if (left < chunk.byteLength) yield chunk.subarray(left)
    left = Math.max(0, left - chunk.byteLength)
  }
}

/** A weak one says nothing about bytes. */
function etagOf(answer: HttpAnswer): string | undefined {
  const etag = answer.header('etag')
  return etag?.startsWith('"') ? etag : undefined
}

function cutShort(
  { endpoint: { host } }: Client,
  name: string,
  { digest, size, at }: Record<'digest', string> & Record<'size' | 'at', number>,
) {
  const message = `${host} cannot be reached: it ended ${digest} of ${name} after ${at} of ${size} bytes`
  return new KiwiError('REGISTRY_UNREACHABLE', message, { evidence: { host, sizeBytes: size, receivedBytes: at } })
}

import type { BlobFact, Context } from '@kiwi/core'

/** Often enough for a moving bar, seldom enough to cost nothing. */
const intervalMs = 200

/** Passes content through and says now and then how far it is. `offset`: bytes that were there before. */
export async function* reportProgress(
  content: AsyncIterable<Uint8Array>,
  { digest, size, offset = 0 }: { readonly digest: string; readonly size: number; readonly offset?: number },
  direction: BlobFact['direction'],
  { report }: Context,
): AsyncGenerator<Uint8Array> {
  let bytes = offset
  let reportedAt = performance.now()
  for await (const chunk of content) {
    bytes += chunk.byteLength
    yield chunk
    if (performance.now() - reportedAt < intervalMs) continue
    reportedAt = performance.now()
    report({ type: 'blob', direction, digest, state: 'transferring', bytes, totalBytes: size })
  }
}

import { createHash } from 'node:crypto'
import type { Digest } from '../contracts/v1/image.js'
import { KiwiError } from '../errors/kiwi-error.js'

/** The digest of bytes at hand (OCI image-spec, descriptor.md; sha256 only). */
export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** Passes content through and throws `DIGEST_MISMATCH` at its end, or as soon as it is too long, when it is not what was expected. */
export async function* verified(
  content: AsyncIterable<Uint8Array>,
  expected: { readonly digest: Digest; readonly size: number },
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of content) {
    hash.update(chunk)
    size += chunk.byteLength
    if (size > expected.size) throw mismatch(expected, `more than ${size} bytes`)
    yield chunk
  }
  const digest = `sha256:${hash.digest('hex')}`
  if (digest !== expected.digest || size !== expected.size) throw mismatch(expected, `${digest} in ${size} bytes`)
}

/** What `verified` throws. */
export function mismatch(expected: { readonly digest: Digest; readonly size: number }, found: string): KiwiError {
  return new KiwiError('DIGEST_MISMATCH', `expected ${expected.digest} in ${expected.size} bytes, got ${found}`, {
    evidence: { expected: expected.digest, sizeBytes: expected.size, found },
  })
}

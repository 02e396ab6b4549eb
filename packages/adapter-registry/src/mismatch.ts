import { type Descriptor, KiwiError } from '@kiwi/core'

/** Says it as core's `verified` does. */
export function mismatch(expected: Pick<Descriptor, 'digest' | 'size'>, found: string): KiwiError {
  return new KiwiError('DIGEST_MISMATCH', `expected ${expected.digest} in ${expected.size} bytes, got ${found}`, {
    evidence: { expected: expected.digest, sizeBytes: expected.size, found },
  })
}

import type { CompressOptions } from './gzip.js'

export type Compression = 'gzip' | 'zstd'

/**
 * Compresses on all cores, in a few MiB of memory; the same content and level give the same bytes whatever the number of cores.
 * @example for await (const bytes of compress(tar, 'gzip', { signal })) await file.write(bytes)
 */
export async function* compress(
  content: AsyncIterable<Uint8Array>,
  compression: Compression,
  options: CompressOptions,
): AsyncGenerator<Uint8Array> {
  // lazily: most images come compressed
  if (compression === 'gzip') yield* (await import('./gzip.js')).gzip(content, options)
  else yield* (await import('./zstd.js')).zstd(content, options)
}

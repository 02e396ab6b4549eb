import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import { blockStore, blocksOf, defaultConcurrency, inOrder } from './blocks.js'
import type { CompressOptions } from './gzip.js'

export const zstdLevel = 3
const blockBytes = 2 * 1024 * 1024

const compress: (block: Uint8Array, options: object) => Promise<Buffer> = promisify(zstdCompress)

/**
 * Zstandard (RFC 8878), one frame with its checksum for each 2 MiB, compressed on all cores; readers take the frames for one stream.
 * The same content gives the same bytes on every machine with the same library.
 */
export async function* zstd(content: AsyncIterable<Uint8Array>, options: CompressOptions): AsyncGenerator<Uint8Array> {
  const { level = zstdLevel, concurrency = defaultConcurrency, signal } = options
  const frame = (block: Uint8Array) =>
    compress(block, {
      pledgedSrcSize: block.byteLength,
      chunkSize: blockBytes + blockBytes / 64, // one trip to the pool for a frame
      params: {
        [constants.ZSTD_c_compressionLevel]: level,
        [constants.ZSTD_c_checksumFlag]: 1,
      },
    })
  const store = blockStore(blockBytes)
  const work = (block: Buffer) => frame(block).finally(() => store.giveBack(block))
  let empty = true
  for await (const bytes of inOrder(blocksOf(content, store), work, { concurrency, signal })) {
    empty = false
    yield bytes
  }
  if (empty) yield await frame(new Uint8Array()) // no frame at all is no zstd file
}

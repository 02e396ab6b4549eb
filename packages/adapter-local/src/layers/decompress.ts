import { Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'

const chunkBytes = 256 * 1024

/** The archive inside a layer blob: gzip and zstd are told by their first bytes, anything else is taken as it is. */
export async function* decompressed(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = content[Symbol.asyncIterator]()
  const first = await source.next()
  if (first.done === true) return
  const whole = restored(first.value, source)
  const transform = decompressorFor(first.value)
  if (transform === undefined) return yield* whole
  const fed = pipeline(Readable.from(whole), transform)
  fed.catch(() => {})
  try {
    yield* transform
    await fed
  } finally {
    transform.destroy()
  }
}

async function* restored(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield first
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

function decompressorFor(bytes: Uint8Array): Transform | undefined {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return createGunzip({ chunkSize: chunkBytes })
  const zstd = bytes[0] === 0x28 && bytes[1] === 0xb5 && bytes[2] === 0x2f && bytes[3] === 0xfd
  return zstd ? createZstdDecompress({ chunkSize: chunkBytes }) : undefined
}

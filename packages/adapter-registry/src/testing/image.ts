import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Descriptor, digestOf, type ImageSource, mediaTypes } from '@kiwi/core'

/** An image in memory, with layers of random bytes. */
export function randomImage(
  options: { readonly layers?: number; readonly layerBytes?: number } = {},
): ImageSource & { readonly layers: readonly Descriptor[] } {
  const { layers: count = 2, layerBytes = 20_000 } = options
  const contents = new Map<string, Uint8Array>()
  const keep = (mediaType: string, bytes: Uint8Array): Descriptor => {
    contents.set(digestOf(bytes), bytes)
    return { mediaType, digest: digestOf(bytes), size: bytes.byteLength }
  }
  const layers = Array.from({ length: count }, () => keep(mediaTypes.layerGzip, randomBytes(layerBytes)))
  const config = keep(mediaTypes.config, json({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers' } }))
  const root = keep(mediaTypes.manifest, json({ schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers }))
  const read = ({ digest }: Descriptor) => contents.get(digest) ?? new Uint8Array()
  return {
    root,
    layers,
    manifest: async (descriptor) => read(descriptor),
    async *blob(descriptor, { offsetBytes }) {
      yield read(descriptor).subarray(offsetBytes)
    },
  }
}

export async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export async function* chunksOf(...chunks: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk)
}

/** A directory that is removed on dispose. */
export async function temporaryDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'kiwi-registry-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) }
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

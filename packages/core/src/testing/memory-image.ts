import type { Descriptor, ImageSink, ImageSource } from '../contracts/v1/image.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { digestOf } from '../image/digest.js'

/** Blobs and manifests in memory: both ends of `pipe`. */
export interface MemoryImages {
  readonly contents: Map<string, Uint8Array>
  readonly tags: Map<string, Descriptor>
  readonly sink: ImageSink
  source(root: Descriptor): ImageSource
}

export function memoryImages(): MemoryImages {
  const contents = new Map<string, Uint8Array>()
  const tags = new Map<string, Descriptor>()
  const get = (digest: string) => {
    const bytes = contents.get(digest)
    if (!bytes) throw new KiwiError('MANIFEST_UNKNOWN', `${digest} is not in memory`)
    return bytes
  }
  const put = (bytes: Uint8Array, mediaType: string): Descriptor => {
    const digest = digestOf(bytes)
    contents.set(digest, bytes)
    return { mediaType, digest, size: bytes.byteLength }
  }
  return {
    contents,
    tags,
    source: (root) => ({
      root,
      manifest: async ({ digest }) => get(digest),
      async *blob({ digest }, { offsetBytes }) {
        yield get(digest).subarray(offsetBytes)
      },
    }),
    sink: {
      has: async ({ digest }) => contents.has(digest),
      blob: async ({ mediaType, open }) => put(Buffer.concat(await Array.fromAsync(open(0))), mediaType),
      async manifest(bytes, { mediaType, tag }) {
        const descriptor = put(bytes, mediaType)
        if (tag !== undefined) tags.set(tag, descriptor)
        return descriptor
      },
    },
  }
}

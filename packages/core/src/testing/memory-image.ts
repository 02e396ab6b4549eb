import type { Descriptor, ImageSink, ImageSource } from '../contracts/v1/image.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { digestOf, verified } from '../image/digest.js'

/** Blobs and manifests in memory: both ends of `pipe`. */
export interface MemoryImages {
  readonly contents: Map<string, Uint8Array>
  /** By digest. */
  readonly manifests: Map<string, Descriptor>
  readonly tags: Map<string, Descriptor>
  readonly sink: ImageSink
  source(root: Descriptor): ImageSource
}

export function memoryImages(): MemoryImages {
  const contents = new Map<string, Uint8Array>()
  const manifests = new Map<string, Descriptor>()
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
    ...{ contents, manifests, tags },
    source: (root) => ({
      root,
      async manifest({ digest }, signal) {
        signal.throwIfAborted()
        const bytes = get(digest)
        if (digestOf(bytes) !== digest) throw new KiwiError('DIGEST_MISMATCH', `${digest} is damaged`)
        return bytes
      },
      async *blob({ digest, size }, { offsetBytes, signal }) {
        signal.throwIfAborted()
        const content = once(get(digest).subarray(offsetBytes))
        yield* offsetBytes === 0 ? verified(content, { digest, size }) : content
      },
    }),
    sink: {
      has: async ({ digest }) => contents.has(digest),
      async blob({ mediaType, open, expected }, { signal }) {
        signal.throwIfAborted()
        const content = expected ? verified(open(0), expected) : open(0)
        const bytes = Buffer.concat(await Array.fromAsync(content))
        signal.throwIfAborted()
        return put(bytes, mediaType)
      },
      async manifest(bytes, { mediaType, tag }, { signal }) {
        signal.throwIfAborted()
        const descriptor = put(bytes, mediaType)
        manifests.set(descriptor.digest, descriptor)
        if (tag !== undefined) tags.set(tag, descriptor)
        return descriptor
      },
    },
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

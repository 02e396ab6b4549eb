import { createReadStream } from 'node:fs'
import type { Context } from '../contracts/v1/context.js'
import type { Descriptor, Digest, ImageSource } from '../contracts/v1/image.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { ArchivedImages } from './archive-read.js'
import { digestOf, verified } from './digest.js'
import type { PipeCompression } from './pipe-compressed.js'

/** An image, or several, in one tar: an OCI layout (image-layout.md) as skopeo and buildah keep it, or what `docker save` wrote. Not packed itself. */
export interface OciArchive {
  readonly path: string
  /** What it lists; the tag, or the name with it, is the annotation `org.opencontainers.image.ref.name`. Empty where there is no file. */
  roots(): Promise<readonly Descriptor[]>
  /** The image whose manifest is `root`. Read where it lies in the file; nothing is unpacked. */
  source(root: Descriptor): ImageSource
  /** Makes the file anew with that image alone; it is there whole or as it was before. Resolves to the root as it was stored. */
  write(
    source: ImageSource,
    options: { readonly tag?: string | undefined; readonly compression?: PipeCompression | undefined },
    context: Context,
  ): Promise<Descriptor>
}

/**
 * An archive of images in one file. Reading rejects with `REGISTRY_FAILED` where it is none, with `MANIFEST_UNKNOWN` where something is not in it.
 * @example await pipe(archive.source(root), registry.sink('web'), { tag: 'v1' }, context)
 */
export function ociArchive(path: string): OciArchive {
  // lazily: few images lie in archives
  const read = async () => (await import('./archive-read.js')).readArchive(path)
  return {
    path,
    roots: async () => (await read()).roots,
    source: (root) => archiveSource(path, root, read),
    write: async (source, options, context) =>
      (await import('./archive-write.js')).writeArchive(path, source, options, context),
  }
}

function archiveSource(path: string, root: Descriptor, read: () => Promise<ArchivedImages>): ImageSource {
  let reading: Promise<ArchivedImages> | undefined
  const images = () => {
    reading ??= read()
    return reading
  }
  return {
    root,
    async manifest(descriptor) {
      const bytes = await (await images()).document(descriptor.digest)
      if (!bytes) throw missing(path, descriptor.digest)
      if (digestOf(bytes) !== descriptor.digest) throw new KiwiError('DIGEST_MISMATCH', `${path} is damaged`)
      return bytes
    },
    blob(descriptor, { offsetBytes, signal }) {
      const content = contentOf(path, images, descriptor, offsetBytes, signal)
      return offsetBytes === 0 ? verified(content, descriptor) : content
    },
  }
}

async function* contentOf(
  path: string,
  images: () => Promise<ArchivedImages>,
  { digest }: Descriptor,
  offsetBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const place = (await images()).place(digest)
  if (!place) throw missing(path, digest)
  const start = place.offset + offsetBytes
  const last = place.offset + place.size - 1
  if (start > last) return
  yield* createReadStream(path, { start, end: last, signal, highWaterMark: 256 * 1024 })
}

function missing(path: string, digest: Digest): KiwiError {
  return new KiwiError('MANIFEST_UNKNOWN', `${digest} is not in ${path}`, { evidence: { path, digest } })
}

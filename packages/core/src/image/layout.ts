import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Descriptor, Digest, ImageSink, ImageSource } from '../contracts/v1/image.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { digestOf, verified } from './digest.js'
import { blobWriter } from './layout-blobs.js'
import { readRoots, writeRoot } from './layout-index.js'

/**
 * Blobs by digest in a folder, as `blobs/sha256/<hex>` of an OCI image layout (image-layout.md). What is written with a tag is listed in
 * `index.json`, for any other tool; roots without one are kept by whoever uses it.
 */
export interface OciLayout {
  readonly directory: string
  readonly sink: ImageSink
  /** The image whose manifest is `root`. */
  source(root: Descriptor): ImageSource
  /** What `index.json` lists; the tag is the annotation `org.opencontainers.image.ref.name`. Empty where there is none. */
  roots(): Promise<readonly Descriptor[]>
  /** Where a blob lies, whether or not it is there. Throws `REGISTRY_FAILED` for what is no sha256 digest. */
  path(digest: Digest): string
}

/**
 * Opens (and on first write makes) a layout; several processes may share it. A blob is there whole or not at all, also after a power cut:
 * it gets its name when it is on the disk. A manifest is on the disk, with all it names, when it is given back.
 */
export function ociLayout(directory: string): OciLayout {
  const path = (digest: Digest) => join(directory, 'blobs', 'sha256', hexOf(digest))
  return {
    directory,
    path,
    sink: layoutSink(directory, path),
    source: (root) => layoutSource(root, path),
    roots: () => readRoots(directory),
  }
}

/** The digest comes from a manifest: only hex may become part of a path. */
function hexOf(digest: Digest): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1]
  if (hex !== undefined) return hex
  throw new KiwiError('REGISTRY_FAILED', `${JSON.stringify(digest)} is not a sha256 digest`, { evidence: { digest } })
}

function layoutSource(root: Descriptor, path: (digest: Digest) => string): ImageSource {
  return {
    root,
    async manifest(descriptor) {
      const file = path(descriptor.digest)
      const bytes = await readFile(file).catch((error: unknown) => {
        throw isMissing(error) ? missing(descriptor, error) : error
      })
      if (digestOf(bytes) !== descriptor.digest) throw new KiwiError('DIGEST_MISMATCH', `${file} is damaged`)
      return bytes
    },
    blob(descriptor, { offsetBytes, signal }) {
      const content = readBlob(path(descriptor.digest), descriptor, offsetBytes, signal)
      return offsetBytes === 0 ? verified(content, descriptor) : content
    },
  }
}

async function* readBlob(
  file: string,
  descriptor: Descriptor,
  start: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(file, { start, signal, highWaterMark: 1024 * 1024 })
  try {
    yield* stream
  } catch (error) {
    throw isMissing(error) ? missing(descriptor, error) : error
  }
}

function layoutSink(directory: string, path: (digest: Digest) => string): ImageSink {
  const blobs = blobWriter(directory, path)
  return {
    has: async ({ digest, size }) => (await stat(path(digest)).catch(() => undefined))?.size === size,
    blob: (upload, context) => blobs.write(upload, context.signal),
    async manifest(bytes, { mediaType, tag }, context) {
      const content = async function* () {
        yield bytes
      }
      const expected = { digest: digestOf(bytes), size: bytes.byteLength }
      const root = await blobs.write({ mediaType, expected, open: content }, context.signal)
      await blobs.keepNames()
      if (tag !== undefined) await writeRoot(directory, root, tag, context.signal)
      return root
    },
  }
}

function missing(descriptor: Descriptor, cause: unknown): KiwiError {
  return new KiwiError('MANIFEST_UNKNOWN', `${descriptor.digest} is not in the layout`, { cause })
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { BlobUpload, Descriptor, Digest, ImageSink, ImageSource } from '../contracts/v1/image.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { digestOf, verified } from './digest.js'

/** Blobs by digest in a folder, as `blobs/sha256/<hex>` of an OCI image layout (image-layout.md); roots are kept by whoever uses it. */
export interface OciLayout {
  readonly directory: string
  readonly sink: ImageSink
  /** The image whose manifest is `root`. */
  source(root: Descriptor): ImageSource
  /** Where a blob lies, whether or not it is there. */
  path(digest: Digest): string
}

/** Opens (and on first write makes) a layout. Writes are atomic: a blob is there whole or not at all; several processes may share it. */
export function ociLayout(directory: string): OciLayout {
  const path = (digest: Digest) => join(directory, 'blobs', ...digest.split(':'))
  return { directory, path, sink: layoutSink(directory, path), source: (root) => layoutSource(root, path) }
}

function layoutSource(root: Descriptor, path: (digest: Digest) => string): ImageSource {
  return {
    root,
    async manifest(descriptor) {
      const bytes = await readFile(path(descriptor.digest)).catch((error: unknown) => {
        throw missing(descriptor, error)
      })
      if (digestOf(bytes) !== descriptor.digest)
        throw new KiwiError('DIGEST_MISMATCH', `${path(descriptor.digest)} is damaged`)
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
  const stream = createReadStream(file, { start, signal, highWaterMark: 256 * 1024 })
  try {
    yield* stream
  } catch (error) {
    throw error instanceof Error && 'code' in error && error.code === 'ENOENT' ? missing(descriptor, error) : error
  }
}

function layoutSink(directory: string, path: (digest: Digest) => string): ImageSink {
  return {
    has: async ({ digest, size }) => (await stat(path(digest)).catch(() => undefined))?.size === size,
    blob: (upload, context) => writeBlob(directory, path, upload, context.signal),
    async manifest(bytes, { mediaType }) {
      const digest = digestOf(bytes)
      const content = async function* () {
        yield bytes
      }
      const size = bytes.byteLength
      await writeBlob(directory, path, { mediaType, expected: { digest, size }, open: content }, undefined)
      return { mediaType, digest, size }
    },
  }
}

async function writeBlob(
  directory: string,
  path: (digest: Digest) => string,
  upload: BlobUpload,
  signal: AbortSignal | undefined,
): Promise<Descriptor> {
  const { expected, mediaType } = upload
  if (expected && (await stat(path(expected.digest)).catch(() => undefined))?.size === expected.size) {
    return { mediaType, ...expected }
  }
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true })
  const part = join(directory, 'blobs', `.${randomUUID()}.part`)
  const file = await open(part, 'wx')
  try {
    const written = await writeAll(file, expected ? verified(upload.open(0), expected) : upload.open(0), signal)
    await file.close()
    await rename(part, path(written.digest))
    return { mediaType, ...written }
  } catch (error) {
    await file.close().catch(() => undefined)
    await rm(part, { force: true })
    throw error
  }
}

async function writeAll(
  file: FileHandle,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<{ digest: Digest; size: number }> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of content) {
    signal?.throwIfAborted()
    hash.update(chunk)
    size += chunk.byteLength
    await file.write(chunk)
  }
  return { digest: `sha256:${hash.digest('hex')}`, size }
}

function missing(descriptor: Descriptor, cause: unknown): KiwiError {
  return new KiwiError('MANIFEST_UNKNOWN', `${descriptor.digest} is not in the layout`, { cause })
}

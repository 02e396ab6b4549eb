import {
  type BlobUpload,
  type Context,
  type Descriptor,
  digestOf,
  type ImageSink,
  isIndex,
  isManifest,
} from '@kiwi/core'
import { parseDigest } from '../names.js'
import { reportProgress } from '../progress.js'
import type { Storage } from '../storage/index.js'

/** Writes images into the folder, without HTTP. What another repository of the folder has is linked, not copied. */
export function folderSink({ content, repositories }: Storage, repository: string): ImageSink {
  return {
    async has({ digest, mediaType }) {
      const linked =
        isManifest(mediaType) || isIndex(mediaType)
          ? (await repositories.manifestType(repository, digest)) !== undefined
          : await repositories.hasBlob(repository, digest)
      return linked && (await content.keep(digest)) !== undefined
    },
    async blob(upload, context) {
      const stored = (await adopt(content, upload, context)) ?? (await write(content, upload, context))
      await repositories.linkBlob(repository, stored.digest)
      return stored
    },
    async manifest(bytes, { mediaType, tag }) {
      const digest = digestOf(bytes)
      await content.writeBytes(bytes, digest)
      await content.sync()
      await repositories.addManifest(repository, { digest, mediaType, tags: tag === undefined ? [] : [tag] })
      const subject = subjectOf(bytes)
      if (subject !== undefined) await repositories.addReferrer(repository, subject, digest)
      return { mediaType, digest, size: bytes.byteLength }
    },
  }
}

function subjectOf(bytes: Uint8Array): string | undefined {
  const { subject }: { subject?: { digest?: unknown } } = JSON.parse(Buffer.from(bytes).toString())
  const digest = subject?.digest
  return typeof digest === 'string' && parseDigest(digest) ? digest : undefined
}

async function adopt(
  content: Storage['content'],
  { expected, mediaType }: BlobUpload,
  context: Context,
): Promise<Descriptor | undefined> {
  if (!expected || (await content.keep(expected.digest)) !== expected.size) return undefined
  const { digest, size } = expected
  context.report({ type: 'blob', direction: 'push', digest, state: 'mounted', bytes: size, totalBytes: size })
  return { mediaType, digest, size }
}

async function write(content: Storage['content'], upload: BlobUpload, context: Context): Promise<Descriptor> {
  const { expected, mediaType } = upload
  const chunks = expected ? reportProgress(upload.open(0), expected, 'push', context) : upload.open(0)
  const { digest, size } = await content.write(chunks, { expected, signal: context.signal })
  context.report({ type: 'blob', direction: 'push', digest, state: 'done', bytes: size, totalBytes: size })
  return { mediaType, digest, size }
}

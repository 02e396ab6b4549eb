import { digestOf, type ImageSource, KiwiError, verified } from '@kiwi/core'
import type { Storage } from '../storage/index.js'

/** An image read from the folder, without HTTP. */
export function folderSource(
  { content }: Storage,
  root: ImageSource['root'],
  origin: NonNullable<ImageSource['origin']>,
): ImageSource {
  return {
    root,
    origin,
    async manifest({ digest }, signal) {
      await present(content, digest)
      const bytes = await content.readBytes(digest, signal)
      if (digestOf(bytes) !== digest) {
        throw new KiwiError('DIGEST_MISMATCH', `${content.path(digest)} is damaged: its bytes are not ${digest}`)
      }
      return bytes
    },
    async *blob({ digest, size }, { offsetBytes, signal }) {
      await present(content, digest)
      const chunks = content.read(digest, { start: offsetBytes, signal })
      yield* offsetBytes === 0 ? verified(chunks, { digest, size }) : chunks
    },
  }
}

async function present(content: Storage['content'], digest: string): Promise<void> {
  if ((await content.size(digest)) !== undefined) return
  throw new KiwiError('MANIFEST_UNKNOWN', `the embedded registry has lost ${digest}`, {
    hint: 'Build the image again; something removed this file from the registry’s folder.',
    evidence: { path: content.path(digest) },
  })
}

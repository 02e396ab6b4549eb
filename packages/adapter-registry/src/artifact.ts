import { type BlobUpload, type Context, type Descriptor, digestOf, type ImageSink, mediaTypes } from '@kiwi/core'

/** The content of a descriptor that has nothing to say (image-spec, manifest.md, "Guidance for an Empty Descriptor"). */
export const emptyContent: Uint8Array = new TextEncoder().encode('{}')

const empty: Descriptor = {
  mediaType: 'application/vnd.oci.empty.v1+json',
  digest: digestOf(emptyContent),
  size: emptyContent.byteLength,
}

export interface Artifact {
  /** What it is: a media type, `application/spdx+json`. */
  readonly artifactType: string
  readonly blobs: readonly ArtifactBlob[]
  /** The manifest that it is about: it becomes a referrer of it. */
  readonly subject?: Descriptor | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
  /** Default: it is named by its digest only. */
  readonly tag?: string | undefined
}

export interface ArtifactBlob {
  readonly mediaType: string
  readonly content: Uint8Array | BlobUpload['open']
  readonly annotations?: Readonly<Record<string, string>> | undefined
}

/**
 * Stores files that are no image (a signature, a bill of materials, a chart) as an OCI 1.1 artifact. Resolves to its manifest.
 * @example await pushArtifact(registry.sink('web'), { artifactType, blobs: [{ mediaType, content }], subject: image }, context)
 */
export async function pushArtifact(sink: ImageSink, artifact: Artifact, context: Context): Promise<Descriptor> {
  const blobs: Descriptor[] = []
  for (const { mediaType, content, annotations } of artifact.blobs) {
    const { digest, size } = await storeBlob(sink, mediaType, content, context)
    blobs.push({ mediaType, digest, size, ...(annotations && { annotations }) })
  }
  await storeBlob(sink, empty.mediaType, emptyContent, context)
  const bytes = artifactManifest({ ...artifact, blobs })
  return sink.manifest(bytes, { mediaType: mediaTypes.manifest, tag: artifact.tag }, context)
}

/** The bytes of an artifact's manifest, the same for the same artifact. */
export function artifactManifest(
  artifact: Pick<Artifact, 'artifactType' | 'subject' | 'annotations'> & { readonly blobs: readonly Descriptor[] },
): Uint8Array {
  const { artifactType, blobs, subject, annotations } = artifact
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType,
    config: empty,
    layers: blobs.length > 0 ? blobs : [empty],
    ...(subject && { subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size } }),
    ...(annotations && { annotations }),
  }
  return new TextEncoder().encode(JSON.stringify(manifest))
}

async function storeBlob(sink: ImageSink, mediaType: string, content: ArtifactBlob['content'], context: Context) {
  if (typeof content === 'function') return sink.blob({ mediaType, open: content }, context)
  const expected = { digest: digestOf(content), size: content.byteLength }
  if (await sink.has({ mediaType, ...expected }, context)) return expected
  const open = async function* (offsetBytes: number) {
    yield content.subarray(offsetBytes)
  }
  return sink.blob({ mediaType, expected, open }, context)
}

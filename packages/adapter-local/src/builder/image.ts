import { type BuiltImage, type Descriptor, type ImageSource, mediaTypes, pipe } from '@kiwi/core'
import type { Draft } from './draft.js'
import { settledHistory } from './history.js'
import type { Session } from './session.js'

/** Writes configuration and manifest and hands the whole image to the sink. Layers of the base come here only if the sink lacks them. */
export async function finishImage(
  session: Session,
  draft: Draft,
  pull: (digest: string) => Promise<void>,
): Promise<Omit<BuiltImage, 'steps'>> {
  const { workshop, request, io, context } = session
  const config = await putJson(session, mediaTypes.config, configOf(session, draft))
  const layers = draft.layers.map(({ descriptor: { digest, size, mediaType } }) => ({
    mediaType: ociType(mediaType),
    digest,
    size,
  }))
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers }
  const bytes = Buffer.from(JSON.stringify(manifest))
  const root = await workshop.layout.sink.manifest(bytes, { mediaType: mediaTypes.manifest }, context)
  await pipe(pulling(workshop.layout.source(root), pull), io.sink, {}, context)
  const sizeBytes = layers.reduce((sum, { size }) => sum + size, 0)
  return { manifest: root, platform: request.platform, sizeBytes, layers: layers.length, at: 'sink' }
}

function pulling(source: ImageSource, pull: (digest: string) => Promise<void>): ImageSource {
  return {
    root: source.root,
    manifest: (descriptor, signal) => source.manifest(descriptor, signal),
    async *blob(descriptor, options) {
      await pull(descriptor.digest)
      yield* source.blob(descriptor, options)
    },
  }
}

async function putJson({ workshop, context }: Session, mediaType: string, value: object): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(value))
  const content = async function* () {
    yield bytes
  }
  return workshop.layout.sink.blob({ mediaType, open: content }, context)
}

function configOf({ request }: Session, { config, layers, history, author }: Draft) {
  const { os, architecture, variant } = request.platform
  const labels = { ...config.Labels, ...request.labels }
  return {
    created: new Date(request.createdAtSeconds * 1000).toISOString(),
    architecture,
    os,
    ...(variant !== undefined && { variant }),
    ...(author !== undefined && { author }),
    config: { ...config, ...(Object.keys(labels).length > 0 && { Labels: labels }) },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: settledHistory(history, layers.length),
  }
}

/** An OCI manifest names layers of a Docker base by OCI's names: the bytes are the same. */
function ociType(mediaType: string): string {
  if (mediaType === 'application/vnd.docker.image.rootfs.diff.tar.gzip') return mediaTypes.layerGzip
  return mediaType === 'application/vnd.docker.image.rootfs.diff.tar'
    ? 'application/vnd.oci.image.layer.v1.tar'
    : mediaType
}

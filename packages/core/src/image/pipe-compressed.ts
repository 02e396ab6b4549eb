import type { Context } from '../contracts/v1/context.js'
import type { Descriptor, ImageSink, ImageSource } from '../contracts/v1/image.js'
import { type Compression, compress } from './compress.js'
import type { LayerMemory } from './layer-memory.js'
import { isIndex, isManifest, mediaTypes, parseIndex, parseManifest } from './manifest.js'
import { copyBlob, copyEach, rootedAt, verifiedManifest } from './pipe.js'

/** How layers that are not compressed are on their way. */
export interface PipeCompression {
  readonly method: Compression
  readonly level?: number | undefined
  /** What is in it is not compressed again where the sink still has it. */
  readonly memory?: LayerMemory | undefined
}

/** One is compressed on all cores; the second fills them while the first begins or ends. More would only hold more blocks. */
const concurrentLayers = 2

interface Way {
  readonly source: ImageSource
  readonly sink: ImageSink
  readonly compression: PipeCompression
}

/** `pipe` for layers that are plain tars: read, compressed, hashed and sent in one pass. Manifests and indexes name what became of them. */
export async function pipeCompressed(way: Way, tag: string | undefined, context: Context): Promise<Descriptor> {
  const { source, sink } = way
  const { mediaType } = source.root
  const bytes = await verifiedManifest(source, context.signal)
  if (isIndex(mediaType)) {
    return sink.manifest(
      rewritten(bytes, 'manifests', await children(way, bytes, context)),
      { mediaType, tag },
      context,
    )
  }
  const known = await rememberedLayers(way, bytes)
  const { config, layers } = parseManifest(bytes)
  if (layers.every((layer) => !isPlain(layer) || known.has(layer.digest))) {
    const there = await sink.retag?.(rewritten(bytes, 'layers', known), { mediaType, tag }, context)
    if (there) return there
  }
  const became = new Map<string, Descriptor>()
  await copyEach(
    [...layers, config],
    async (blob, stoppable) => {
      if (isPlain(blob)) became.set(blob.digest, await copyCompressed(way, blob, known.get(blob.digest), stoppable))
      else await copyBlob(source, sink, blob, stoppable)
    },
    context,
    concurrentLayers,
  )
  return sink.manifest(rewritten(bytes, 'layers', became), { mediaType, tag }, context)
}

async function children(way: Way, index: Uint8Array, context: Context): Promise<Map<string, Descriptor>> {
  const became = new Map<string, Descriptor>()
  for (const child of parseIndex(index)) {
    if (isManifest(child.mediaType) || isIndex(child.mediaType)) {
      const copied = await pipeCompressed({ ...way, source: rootedAt(child, way.source) }, undefined, context)
      became.set(child.digest, copied)
    } else await copyBlob(way.source, way.sink, child, context)
  }
  return became
}

/** Of a plain tar the digest is its diff id. */
function isPlain({ mediaType }: Descriptor): boolean {
  return mediaType === mediaTypes.layer
}

async function rememberedLayers({ compression }: Way, manifest: Uint8Array): Promise<Map<string, Descriptor>> {
  const known = new Map<string, Descriptor>()
  for (const layer of parseManifest(manifest).layers.filter(isPlain)) {
    const found = await compression.memory?.get(keyOf(layer, compression))
    if (found) known.set(layer.digest, found)
  }
  return known
}

function keyOf({ digest }: Descriptor, { method, level }: PipeCompression): string {
  return `${digest} ${method} ${level ?? 'default'}`
}

async function copyCompressed(
  { source, sink, compression }: Way,
  layer: Descriptor,
  known: Descriptor | undefined,
  context: Context,
): Promise<Descriptor> {
  const { signal } = context
  if (known && (await sink.has(known, context))) return known
  const { method, level, memory } = compression
  const mediaType = method === 'gzip' ? mediaTypes.layerGzip : mediaTypes.layerZstd
  const open = () => compress(source.blob(layer, { offsetBytes: 0, signal }), method, { level, signal })
  const { digest, size } = await sink.blob({ mediaType, open }, context)
  const compressed = { mediaType, digest, size }
  await memory?.set(keyOf(layer, compression), compressed)
  return compressed
}

/** The same document, but for what its descriptors became. What Kiwi does not know in it stays. */
function rewritten(
  bytes: Uint8Array,
  list: 'layers' | 'manifests',
  became: ReadonlyMap<string, Descriptor>,
): Uint8Array {
  if (became.size === 0) return bytes
  const document = JSON.parse(new TextDecoder().decode(bytes))
  const renew = (one: Descriptor) => {
    const { mediaType, digest, size } = became.get(one.digest) ?? one
    return { ...one, mediaType, digest, size }
  }
  return new TextEncoder().encode(JSON.stringify({ ...document, [list]: document[list].map(renew) }))
}

import type { Builder, BuildNeed, BuildRequest, BuiltImage, Fit } from '../contracts/v1/builder.js'
import type { Context } from '../contracts/v1/context.js'
import type { Descriptor, ImageSink } from '../contracts/v1/image.js'
import type { KiwiError } from '../errors/kiwi-error.js'
import { mediaTypes } from '../image/manifest.js'

export interface MemoryBuilderOptions {
  /** Default: everything fits. */
  readonly fit?: ((need: BuildNeed) => Fit) | undefined
  /** The error with which this build ends. Default: none does. */
  readonly fails?: ((request: BuildRequest) => KiwiError | undefined) | undefined
  /** So many steps are reported, each with a line of output. Default 0. */
  readonly steps?: number | undefined
}

export interface MemoryBuilder extends Builder {
  /** The operation of every build, in order. */
  readonly builds: string[]
}

/** A builder whose image holds the Dockerfile's text, the arguments and the labels: another commit, another digest; the same request, the same one. */
export function memoryBuilder(options: MemoryBuilderOptions = {}): MemoryBuilder {
  const { fit = () => ({ ok: true, missing: [] }), fails = () => undefined, steps = 0 } = options
  const builds: string[] = []
  const made = new Map<string, BuiltImage>()
  return {
    contract: 'builder/v1',
    kind: 'memory',
    builds,
    probe: async () => ({ ok: true, summary: 'in memory', details: {} }),
    fit: async (need) => fit(need),
    find: async (key) => made.get(key),
    async build(request, { sink }, context) {
      context.signal.throwIfAborted()
      builds.push(context.operation.id)
      for (let index = 0; index < steps; index++) await step(index, steps, context)
      const failure = fails(request)
      if (failure) throw failure
      const { manifest, layer } = await write(request, sink, context)
      const counts = { total: steps === 0 ? 1 : steps, cached: 0 }
      const { platform } = request
      const image = { manifest, platform, sizeBytes: layer.size, layers: 1, at: 'sink', steps: counts } as const
      made.set(context.operation.id, image)
      return image
    },
  }
}

async function step(index: number, total: number, context: Context): Promise<void> {
  const name = `step ${index + 1}`
  context.report({ type: 'step-started', step: name, index, total, text: name })
  await context.output(encode(`this is ${name}\n`), { step: name, stream: 'out' })
  context.report({ type: 'step-ended', step: name, durationMs: 0, missedBecause: 'there is no cache' })
}

async function write(
  { dockerfile, target, args, labels, platform, createdAtSeconds }: BuildRequest,
  sink: ImageSink,
  context: Context,
): Promise<{ readonly manifest: Descriptor; readonly layer: Descriptor }> {
  const blob = (mediaType: string, value: unknown) =>
    sink.blob({ mediaType, open: () => once(encode(JSON.stringify(value))) }, context)
  const layer = await blob(mediaTypes.layerGzip, [dockerfile, target, args, labels])
  const config = await blob(mediaTypes.config, {
    ...platform,
    created: new Date(createdAtSeconds * 1000).toISOString(),
    config: { Labels: labels },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  })
  const { manifest: mediaType } = mediaTypes
  const bytes = encode(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] }))
  return { manifest: await sink.manifest(bytes, { mediaType }, context), layer }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content
}

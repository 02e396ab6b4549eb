import {
  type BuildCacheEnds,
  type Context,
  type Descriptor,
  type ImageSource,
  KiwiError,
  mediaTypes,
  parseManifest,
  pipe,
} from '@kiwi/core'
import { pullBlob } from './base.js'
import type { StepResult } from './cache.js'
import type { Workshop } from './workshop.js'

/** Steps of earlier builds that lie in registries, by key. */
export interface RegistryCache {
  /** Brings the step's layer here, checked against both of its digests. Undefined where no cache has it whole. */
  find(key: string): Promise<StepResult | undefined>
}

/** Newer forms get another number; a cache that is not understood is none. */
const version = 1

/**
 * Reads the caches that a build was given, once and when first asked. A cache is an image like any other, so that every registry takes it:
 * its layers are those of the steps, and its configuration says by which key each is found. What fails is told and passed over.
 */
export function registryCache(
  { from }: Pick<BuildCacheEnds, 'from'>,
  { workshop, context }: { readonly workshop: Workshop; readonly context: Context },
): RegistryCache {
  const passOver = (error: unknown) => {
    context.signal.throwIfAborted()
    tell(context, 'not read', error)
    return undefined
  }
  const read = () =>
    Promise.all(from.map(async (open) => openCache(await open(), context.signal).catch(passOver))).catch(passOver)
  let opened: ReturnType<typeof read> | undefined
  return {
    async find(key) {
      opened ??= read()
      for (const cache of (await opened) ?? []) {
        const result = cache?.steps.get(key)
        if (cache === undefined || result === undefined) continue
        const whole = await fetchLayer(cache.source, result, { workshop, context }).then(() => true, passOver)
        if (whole === true) return result
      }
      return undefined
    },
  }
}

/** Writes the steps of a build as a cache. Never rejects but when the build is cancelled. */
export async function writeRegistryCache(
  { sink, tag }: NonNullable<BuildCacheEnds['to']>,
  steps: ReadonlyMap<string, StepResult>,
  { workshop, context }: { readonly workshop: Workshop; readonly context: Context },
): Promise<void> {
  try {
    const { layout } = workshop
    const layers = new Map(
      [...steps.values()].flatMap(({ layer }) => (layer ? [[layer.diffId, layer.descriptor]] : [])),
    )
    const content = {
      architecture: 'unknown',
      os: 'unknown',
      rootfs: { type: 'layers', diff_ids: [...layers.keys()] },
      kiwi: { version, steps: Object.fromEntries([...steps].sort(([one], [other]) => (one < other ? -1 : 1))) },
    }
    const open = () => once(Buffer.from(JSON.stringify(content)))
    const config = await layout.sink.blob({ mediaType: mediaTypes.config, open }, context)
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [...layers.values()] }
    const options = { mediaType: mediaTypes.manifest }
    const root = await layout.sink.manifest(Buffer.from(JSON.stringify(manifest)), options, context)
    await pipe(layout.source(root), sink, { tag }, context)
  } catch (error) {
    context.signal.throwIfAborted()
    tell(context, 'not written', error)
  }
}

interface OpenCache {
  readonly source: ImageSource
  readonly steps: ReadonlyMap<string, StepResult>
}

const mostBytes = 16 * 1024 * 1024

async function openCache(source: ImageSource | undefined, signal: AbortSignal): Promise<OpenCache | undefined> {
  if (source === undefined) return undefined
  const { config } = parseManifest(await source.manifest(source.root, signal))
  if (config.size > mostBytes)
    throw new KiwiError('REGISTRY_FAILED', `the build cache's index has ${config.size} bytes`)
  const chunks = await Array.fromAsync(source.blob(config, { offsetBytes: 0, signal }))
  // Digest-checked, and whatever it says is checked again where it is used.
  const { kiwi } = JSON.parse(Buffer.concat(chunks).toString()) as { kiwi?: { version?: unknown; steps?: object } }
  if (kiwi?.version !== version || typeof kiwi.steps !== 'object') return undefined
  const steps = Object.entries(kiwi.steps).filter((row): row is [string, StepResult] => isResult(row[1]))
  return { source, steps: new Map(steps) }
}

const digest = /^sha256:[0-9a-f]{64}$/

function isResult(value: unknown): value is StepResult {
  if (typeof value !== 'object' || value === null) return false
  const { layer } = value as { layer?: { diffId?: unknown; descriptor?: Partial<Descriptor> } }
  if (layer === undefined) return true
  const { diffId, descriptor } = layer ?? {}
  const digests = [diffId, descriptor?.digest].every((one) => typeof one === 'string' && digest.test(one))
  return digests && Number.isSafeInteger(descriptor?.size) && descriptor?.mediaType === mediaTypes.layerGzip
}

async function fetchLayer(
  source: ImageSource,
  { layer }: StepResult,
  { workshop, context }: { readonly workshop: Workshop; readonly context: Context },
): Promise<void> {
  if (layer === undefined) return
  const { layout, layers } = workshop
  const { diffId, descriptor } = layer
  await pullBlob(source, descriptor, layout, context)
  const open = (signal: AbortSignal) => layout.source(descriptor).blob(descriptor, { offsetBytes: 0, signal })
  await layers.index({ diffId, descriptor, open }, context.signal)
}

function tell(context: Context, value: string, error: unknown): void {
  const because = KiwiError.from(error).message
  context.report({ type: 'choice', what: 'registry cache', value, because })
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

import type { LayerPart, WrittenLayer } from '../layers/index.js'
import { writeLayer } from '../layers/index.js'
import type { StepOrigin, StepResult } from './cache.js'
import type { Draft } from './draft.js'
import { keyOf } from './key.js'
import { missedBecause } from './missed.js'
import { belowOf, type Session } from './session.js'
import type { StepNote } from './steps.js'

export interface CacheableStep {
  readonly id: string
  /** What the result depends on. */
  readonly key: string
  readonly origin: StepOrigin
  /** Further keys under which the result is to be found again. */
  readonly aliases?: readonly string[] | undefined
  /** Does the step; undefined when it changed no file. */
  make(): Promise<WrittenLayer | undefined>
}

/** Takes a step's layer from a cache, or makes it and keeps it. */
export async function cachedStep(session: Session, draft: Draft, step: CacheableStep): Promise<StepNote> {
  const origin = shortened(step.origin, draft)
  session.origins[step.id] = origin
  const aliases = step.aliases ?? []
  const kept = await findWhole(session, step.key)
  if (kept !== undefined) {
    addLayer(session, draft, kept.result)
    await keep(session, aliases, kept.result)
    return { cachedFrom: kept.cachedFrom }
  }
  const note = { missedBecause: missedBecause(origin, session.last[step.id], isFirst(session)) }
  const made = await step.make()
  const result: StepResult = made === undefined ? {} : { layer: { diffId: made.diffId, descriptor: made.descriptor } }
  await keep(session, [step.key, ...aliases], result)
  addLayer(session, draft, result)
  return note
}

/** What a cache has under a key. A result counts only while its blob is there. */
export async function findWhole(
  session: Session,
  key: string,
): Promise<{ readonly result: StepResult; readonly cachedFrom: string } | undefined> {
  const { workshop, request, results, context } = session
  if (request.cache === 'off') return undefined
  const kept = await workshop.cache.find(key)
  const isWhole = kept && (kept.layer === undefined || (await workshop.layout.sink.has(kept.layer.descriptor, context)))
  if (isWhole) {
    results.set(key, kept)
    return { result: kept, cachedFrom: 'layer cache' }
  }
  const result = await session.registryCache.find(key)
  if (result === undefined) return undefined
  await keep(session, [key], result)
  return { result, cachedFrom: 'registry cache' }
}

export function addLayer({ workshop }: Session, draft: Draft, { layer }: StepResult): void {
  if (layer === undefined) return
  const { diffId, descriptor } = layer
  const source = workshop.layout.source(descriptor)
  draft.layers.push({ diffId, descriptor, open: (signal) => source.blob(descriptor, { offsetBytes: 0, signal }) })
}

/** Writes a layer into the workshop and remembers what is in it. */
export async function makeLayer(
  { workshop, context }: Session,
  parts: Iterable<LayerPart> | AsyncIterable<LayerPart>,
): Promise<WrittenLayer> {
  const written = await writeLayer(parts, workshop.layout.sink, context)
  await workshop.layers.keep(written.diffId, written.index)
  return written
}

async function keep(
  { workshop, request, results }: Session,
  keys: readonly string[],
  result: StepResult,
): Promise<void> {
  for (const key of keys) {
    results.set(key, result)
    if (request.cache !== 'off') await workshop.cache.keep(key, result)
  }
}

/** An origin as it is kept. */
export function shortened(origin: StepOrigin, { layers, baseLayers }: Draft): StepOrigin {
  return { ...origin, below: keyOf(origin.below), base: keyOf(belowOf(layers.slice(0, baseLayers))) }
}

function isFirst({ last }: Session): boolean {
  return Object.keys(last).length === 0
}

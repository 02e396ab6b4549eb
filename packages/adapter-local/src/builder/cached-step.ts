import type { LayerPart, WrittenLayer } from '../layers/index.js'
import { writeLayer } from '../layers/index.js'
import type { StepOrigin, StepResult } from './cache.js'
import type { Draft } from './draft.js'
import { keyOf } from './key.js'
import { missedBecause } from './missed.js'
import type { Session } from './session.js'
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

/** Takes a step's layer from the cache, or makes it and keeps it. */
export async function cachedStep(session: Session, draft: Draft, step: CacheableStep): Promise<StepNote> {
  const { cache } = session.workshop
  session.origins[step.id] = shortened(step.origin)
  const kept = await findWhole(session, step.key)
  if (kept !== undefined) {
    addLayer(session, draft, kept)
    await keepAliases(session, step, kept)
    return { cachedFrom: 'layer cache' }
  }
  const note = { missedBecause: missedBecause(shortened(step.origin), session.last[step.id], isFirst(session)) }
  const made = await step.make()
  const result: StepResult = made === undefined ? {} : { layer: { diffId: made.diffId, descriptor: made.descriptor } }
  await cache.keep(step.key, result)
  await keepAliases(session, step, result)
  addLayer(session, draft, result)
  return note
}

/** A result counts only while its blob is there. */
export async function findWhole({ workshop, context }: Session, key: string): Promise<StepResult | undefined> {
  const kept = await workshop.cache.find(key)
  if (kept?.layer === undefined) return kept
  return (await workshop.layout.sink.has(kept.layer.descriptor, context)) ? kept : undefined
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

async function keepAliases({ workshop }: Session, { aliases = [] }: CacheableStep, result: StepResult): Promise<void> {
  for (const alias of aliases) await workshop.cache.keep(alias, result)
}

function shortened(origin: StepOrigin): StepOrigin {
  return { ...origin, below: keyOf(origin.below) }
}

function isFirst({ last }: Session): boolean {
  return Object.keys(last).length === 0
}

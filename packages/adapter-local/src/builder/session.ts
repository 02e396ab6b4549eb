import type { BuildIo, BuildRequest, Context } from '@kiwi/core'
import type { Dockerfile, StagePlan } from '@kiwi/wizard/dockerfile'
import { type Layer, mergedView, type View } from '../layers/index.js'
import type { BaseImage } from './base.js'
import type { Lineage, StepOrigin, StepResult } from './cache.js'
import type { ArgValues } from './configure.js'
import type { Draft } from './draft.js'
import type { NamedContexts } from './named-contexts.js'
import type { RegistryCache } from './registry-cache.js'
import type { SourceTree } from './source-tree.js'
import type { Workshop } from './workshop.js'

/** One build while it runs. */
export interface Session {
  readonly workshop: Workshop
  readonly request: BuildRequest
  readonly io: BuildIo
  /** Its signal fires on cancellation, and when a stage has failed. */
  readonly context: Context
  /** Ends the stages that still run. */
  readonly stop: AbortController
  readonly dockerfile: Dockerfile
  readonly plan: StagePlan
  readonly values: ArgValues
  readonly tree: SourceTree
  readonly contexts: NamedContexts
  /** Images that FROM and --from name, by the name. */
  image(reference: string): Promise<BaseImage>
  /** Stages that are done, by index. */
  readonly drafts: Map<number, Draft>
  readonly registryCache: RegistryCache
  /** What each step of this build made or found, by key. */
  readonly results: Map<string, StepResult>
  /** Of the last build of the same thing, by step. */
  readonly last: Lineage
  /** Of this one. */
  readonly origins: Record<string, StepOrigin>
}

/** Names the files of some layers: the same layers, the same key. */
export function belowOf(layers: readonly Layer[]): string {
  return layers.map(({ diffId }) => diffId).join(' ')
}

/**
 * What the draft's layers show together. Indices that are not known yet are read from the blobs; where a RUN will need the files, they
 * are unpacked in the same reading.
 */
export async function viewOf(
  { layers, willRun }: { readonly layers: readonly Layer[]; readonly willRun: boolean },
  { workshop, context: { signal } }: Session,
): Promise<View> {
  if (willRun) await Promise.all(layers.map((layer) => workshop.layers.ensure(layer, signal)))
  return mergedView(await Promise.all(layers.map((layer) => workshop.layers.index(layer, signal))))
}

import type { OciLayout } from '@kiwi/core'
import type { FoundIsolation } from '../isolation/index.js'
import type { LayerStore, ReadImage } from '../layers/index.js'
import type { StepCache } from './cache.js'

/** What a builder has between builds. */
export interface Workshop {
  readonly directory: string
  /** Compressed layers, configurations and manifests. */
  readonly layout: OciLayout
  readonly layers: LayerStore
  readonly cache: StepCache
  /** Manifests and configurations read so far, by digest; a builder's platform is always the same. */
  readonly images: Map<string, ReadImage>
  /** Blobs on their way into the layout, by digest: builds that run at once share them. */
  readonly pulls: Map<string, Promise<void>>
  /** Found out once. */
  isolation(signal: AbortSignal): Promise<FoundIsolation>
}

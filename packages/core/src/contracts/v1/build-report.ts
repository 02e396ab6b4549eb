/** What a build gave, and what it cost: for people who want it smaller or faster. */
export interface BuildReport {
  /** Compressed, as registries count. */
  readonly sizeBytes: number
  /** Lowest first. */
  readonly layers: readonly ReportedLayer[]
  /** In the order of the Dockerfile. */
  readonly steps: readonly ReportedStep[]
  readonly wasted: WastedBytes
  /** Most useful first; only what the figures of this build support. */
  readonly advice: readonly BuildAdvice[]
}

export interface ReportedLayer {
  readonly digest: string
  /** Compressed. */
  readonly sizeBytes: number
  /** Of the files in it; left out where the layer was not looked into. */
  readonly unpackedBytes?: number | undefined
  readonly files?: number | undefined
  /** What put it there, as the history tells. */
  readonly instruction: string
  readonly isOfBase: boolean
}

export interface ReportedStep {
  readonly step: string
  readonly instruction: string
  readonly durationMs: number
  readonly cachedFrom?: string | undefined
  readonly missedBecause?: string | undefined
}

/** Bytes of files that a later layer removes or overwrites: they are in the image, and nobody sees them. */
export interface WastedBytes {
  /** Unpacked. */
  readonly bytes: number
  /** Up to 10, the largest first. */
  readonly largest: readonly { readonly path: string; readonly bytes: number; readonly by: string }[]
}

export interface BuildAdvice {
  readonly code:
    | 'dependencies-first'
    | 'multi-stage'
    | 'ignore-files'
    | 'small-base'
    | 'remove-in-the-same-step'
    | 'slowest-step'
  /** What to do, in one sentence. */
  readonly what: string
  /** The figures that say so. */
  readonly because: string
  /** Estimated. */
  readonly gainBytes?: number | undefined
  /** Estimated, for each build in which the same thing changes. */
  readonly gainMs?: number | undefined
}

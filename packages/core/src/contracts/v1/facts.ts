/** What an adapter saw while it worked, in neutral words. The engine turns facts into events. */
export type Fact = StepStartedFact | StepEndedFact | BlobFact | ChoiceFact

/** A build step began. `index` counts from 0 of `total`. */
export interface StepStartedFact {
  readonly type: 'step-started'
  readonly step: string
  readonly index: number
  readonly total: number
  readonly text: string
}

/** A build step ended; `cachedFrom` names the cache that had it, `missedBecause` says why none had. */
export interface StepEndedFact {
  readonly type: 'step-ended'
  readonly step: string
  readonly durationMs: number
  readonly cachedFrom?: string | undefined
  readonly missedBecause?: string | undefined
}

/** How far the transfer of one blob is. `exists` and `mounted` move no bytes. May be reported often. */
export interface BlobFact {
  readonly type: 'blob'
  readonly direction: 'push' | 'pull'
  readonly digest: string
  readonly state: 'exists' | 'mounted' | 'transferring' | 'retrying' | 'done'
  readonly bytes: number
  readonly totalBytes?: number | undefined
}

/** The adapter chose between ways to work (`what: 'isolation', value: 'namespaces'`), and why. */
export interface ChoiceFact {
  readonly type: 'choice'
  readonly what: string
  readonly value: string
  readonly because: string
}

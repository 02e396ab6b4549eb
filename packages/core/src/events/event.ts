import type { BuildReport } from '../contracts/v1/build-report.js'
import type { ErrorRecord } from '../errors/kiwi-error.js'
import type { ImageRecord } from '../model/release.js'
import type { Command, RunRequest } from '../model/run.js'
import type { Change, Warning } from '../plan/plan.js'
import type { Diagnosis } from '../verdict/diagnosis.js'

export type Stage = 'source' | 'analyse' | 'build' | 'push' | 'deploy' | 'verify' | 'record'

/** What every event carries. `seq` counts from 1 without gaps and is given in the commit; `at` is milliseconds since 1970. */
interface Stamp {
  readonly v: 1
  readonly runId: string
  readonly at: number
  readonly stage?: Stage | undefined
}

/** Everything that is stored about a run, in order. Ends with `run-ended`, exactly once. */
export type StoredEvent = Stamp & { readonly seq: number } & EventBody

/** Live only: never stored, may be thinned out. */
export type ProgressEvent = Stamp & { readonly seq?: undefined } & ProgressBody

/** The one stream: close a `switch (event.type)` with `event satisfies never`. */
export type KiwiEvent = StoredEvent | ProgressEvent

export type EventBody =
  | { readonly type: 'run-accepted'; readonly request: RunRequest }
  | {
      /** `turn`: other runs of the environment are before it; `adapter`: no process has what it needs; `approval`: someone has to approve it. */
      readonly type: 'run-waiting'
      readonly for: 'turn' | 'adapter' | 'approval'
      readonly what: string
      /** Who has the environment, oldest first; `since` in milliseconds since 1970. */
      readonly behind?: readonly { readonly runId: string; readonly by: string; readonly since: number }[] | undefined
    }
  | { readonly type: 'run-started'; readonly resumed: boolean; readonly host: string }
  | {
      readonly type: 'run-ended'
      readonly status: 'succeeded' | 'failed' | 'cancelled'
      readonly durationMs: number
      /** The row that the run wrote. */
      readonly result?: { readonly releaseId: string } | { readonly buildNumber: number } | undefined
      readonly error?: ErrorRecord | undefined
    }
  | { readonly type: 'stage-started'; readonly stage: Stage; readonly usualMs?: number | undefined }
  | {
      readonly type: 'stage-ended'
      readonly stage: Stage
      readonly durationMs: number
      readonly error?: ErrorRecord | undefined
    }
  | {
      readonly type: 'source-resolved'
      readonly ref: string
      readonly commit: string
      readonly subject?: string | undefined
    }
  | { readonly type: 'image-resolved'; readonly image: ImageRecord }
  | {
      readonly type: 'dockerfile-chosen'
      readonly from: 'path' | 'found' | 'wizard'
      readonly path: string
      readonly text: string
      /** Why, when the wizard wrote it: one sentence a line. */
      readonly reasons: readonly string[]
      readonly others: readonly string[]
    }
  | { readonly type: 'choice'; readonly what: string; readonly value: string; readonly because: string }
  | {
      readonly type: 'step-started'
      readonly step: string
      readonly index: number
      readonly total: number
      readonly text: string
    }
  | {
      readonly type: 'step-ended'
      readonly step: string
      readonly durationMs: number
      readonly cachedFrom?: string | undefined
      readonly missedBecause?: string | undefined
    }
  | {
      readonly type: 'image-built'
      readonly digest: string
      readonly sizeBytes: number
      readonly layers: number
      readonly builder: string
      readonly steps: { readonly total: number; readonly cached: number }
      /** Of builders that look into what they build; left out where every step came from a cache. */
      readonly report?: BuildReport | undefined
    }
  | {
      readonly type: 'blob'
      readonly direction: 'push' | 'pull'
      readonly digest: string
      readonly state: 'exists' | 'mounted' | 'done'
      readonly bytes: number
    }
  | { readonly type: 'image-pushed'; readonly image: ImageRecord }
  | {
      readonly type: 'rollout'
      readonly phase: 'waiting' | 'acting' | 'done'
      readonly ready: number
      readonly total: number
      /** The action begun, or the predicate that is waited for. */
      readonly what: string
      readonly elapsedMs: number
      readonly deadlineMs?: number | undefined
    }
  | { readonly type: 'diagnosis'; readonly diagnosis: Diagnosis }
  | { readonly type: 'plan-made'; readonly changes: readonly Change[]; readonly warnings: readonly Warning[] }
  | {
      readonly type: 'task'
      readonly task: string
      readonly phase: 'started' | 'succeeded' | 'failed'
      readonly exitCode?: number | undefined
    }
  | { readonly type: 'route'; readonly from: readonly string[]; readonly to: readonly string[] }
  /** Nothing failed of it, but it should be seen to: `error` says what it is and what cures it. */
  | { readonly type: 'warning'; readonly error: ErrorRecord }
  | { readonly type: 'evidence-kept'; readonly slot: string; readonly lines: readonly string[] }
  | { readonly type: 'command'; readonly command: Command }
  | {
      readonly type: 'release-recorded'
      readonly releaseId: string
      readonly number: number
      readonly status: 'succeeded' | 'failed'
    }
  | {
      readonly type: 'log'
      readonly stream: 'out' | 'err'
      readonly step?: string | undefined
      readonly text: string
      readonly truncated?: boolean | undefined
    }
  /** So many lines of output were not kept. */
  | { readonly type: 'log-gap'; readonly lines: number }

export type ProgressBody = {
  readonly type: 'progress'
  readonly direction: 'push' | 'pull'
  readonly digest: string
  readonly bytes: number
  readonly totalBytes?: number | undefined
}

import type { Json } from '../contracts/v1/json.js'
import type { Readiness } from '../release/readiness.js'

/** One difference between what runs and what would run. `path` as in the definition (`environments.production.replicas`). */
export interface Change {
  readonly what: string
  readonly path?: string | undefined
  readonly from?: Json | undefined
  readonly to?: Json | undefined
}

/** Something a person should know before, that stops nothing. */
export interface Warning {
  readonly code:
    | 'below-recommendation'
    | 'no-health-check'
    | 'downtime'
    | 'quarantined'
    | 'schema-change'
    | 'first-release'
    | 'unsaid'
    | 'plain-secret'
    | 'mutable-tag'
  readonly message: string
  readonly path?: string | undefined
}

/** Something that would stop the run. `code` as the run's error would carry it. */
export interface Problem {
  readonly code: string
  readonly message: string
  readonly hint: string
}

/** What a run would do, found out by reading only. */
export interface Plan {
  readonly kind: 'release' | 'deploy' | 'rollback'
  readonly service: string
  readonly environment: string
  readonly changes: readonly Change[]
  readonly warnings: readonly Warning[]
  /** Empty: it can be run. */
  readonly problems: readonly Problem[]
  /** How the release it replaces could be brought back afterwards. */
  readonly readinessAfterwards: Readiness
  /** From earlier runs of the service, the guide's stage times for the first one. */
  readonly etaMs: number
  /** Runs that are before it. */
  readonly behind: readonly { readonly runId: string; readonly by: string; readonly since: number }[]
}

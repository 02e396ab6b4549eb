import type { Json } from '../contracts/v1/json.js'

/** What was seen, what it means, whose it is and what cures it. */
export interface Diagnosis {
  /** Stable word (`application-exits`, `image-missing`); each has a section in docs/diagnoses.md. */
  readonly code: DiagnosisCode
  /** `fatal`: waiting is of no use; `likely`: probably so, by error budget; `transient`: usually passes; `silent`: nothing happens. */
  readonly verdict: 'fatal' | 'likely' | 'transient' | 'silent'
  readonly confidence: 'certain' | 'probable' | 'possible'
  readonly owner: 'code' | 'dockerfile' | 'configuration' | 'registry' | 'platform'
  /** One sentence. */
  readonly message: string
  /** What it rests on: the platform's first message, exit codes, counts. */
  readonly evidence: Json
  readonly remedies: readonly Remedy[]
}

export interface Remedy {
  /** One sentence that says what to do. */
  readonly what: string
  /** The same as a change of the definition: `kiwi.plan.release(service, { …, fixes: [fix] })` shows what it would do. */
  readonly fix?: Fix | undefined
}

/** Sets one value of the service's definition; `path` with dots (`environments.production.port`). */
export interface Fix {
  readonly path: string
  readonly value: Json
}

/** All of them, in alphabetical order: add freely, never rename, never reuse. */
export const diagnosisCodes = [
  'application-exits',
  'cannot-start',
  'configuration-missing',
  'image-denied',
  'image-missing',
  'image-unavailable',
  'killed',
  'not-listening',
  'not-scheduled',
  'nothing-happens',
  'out-of-memory',
  'slow-start',
  'task-failed',
  'unhealthy',
  'unknown',
  'wrong-architecture',
] as const

export type DiagnosisCode = (typeof diagnosisCodes)[number]

import type { Clock } from '../contracts/v1/clock.js'
import type { Revision } from '../contracts/v1/source.js'
import type { StepRecord, Store } from '../contracts/v1/store.js'
import type { Tree } from '../contracts/v1/tree.js'
import type { Stage } from '../events/event.js'
import type { EventWriter } from '../events/writer.js'
import type { OciLayout } from '../image/layout.js'
import type { StageContext } from '../journal/context.js'
import type { Command, RunRequest } from '../model/run.js'
import type { Adapters } from '../registers/adapters.js'

/** One run while this process works on it: what the stages use. */
export interface PipelineRun<Request extends RunRequest = RunRequest> {
  readonly id: string
  readonly request: Request
  /** When a process first began it: milliseconds since 1970. */
  readonly startedAt: number
  readonly adapters: Adapters
  readonly store: Store
  readonly clock: Clock
  readonly events: EventWriter
  /** Images that were built and are on their way to a registry. */
  readonly images: OciLayout
  /** The steps so far, by stage; kept up to date by `step`. */
  readonly journal: Map<Stage, StepRecord>
  /** Fires on cancel, and when the lease is lost: for what comes before `deploy`. */
  readonly stoppable: AbortSignal
  /** A context for the adapters' calls of a stage. It fires when the lease is lost; before `deploy` also on cancel. */
  context(stage: Stage): StageContext
  /** Commands given so far, oldest first. */
  commands(): Promise<readonly Command[]>
  /** The files of the revision: opened once, deleted when the run ends. */
  tree(revision: Revision): Promise<Tree>
  /** Plain JSON without the secrets that this process knows: for what is kept and quotes an application, a person or a commit. */
  redacted<T>(value: T): T
  /** A numbered place where a campaign may kill this process. */
  killPoint(name: string): void
}

/** A run that deploys: it has an environment. */
export type EnvironmentRun = PipelineRun<Extract<RunRequest, { environment: string }>>

/** A run that begins at the source. */
export type SourceRun = PipelineRun<Extract<RunRequest, { ref: string }>>

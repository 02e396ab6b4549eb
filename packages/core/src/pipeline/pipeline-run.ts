import type { Builder } from '../contracts/v1/builder.js'
import type { Clock } from '../contracts/v1/clock.js'
import type { Registry } from '../contracts/v1/registry.js'
import type { Runtime } from '../contracts/v1/runtime.js'
import type { Revision, Source } from '../contracts/v1/source.js'
import type { StepRecord, Store } from '../contracts/v1/store.js'
import type { Tree } from '../contracts/v1/tree.js'
import type { Stage } from '../events/event.js'
import type { EventWriter } from '../events/writer.js'
import type { OciLayout } from '../image/layout.js'
import type { StageContext } from '../journal/context.js'
import type { Command, RunRequest } from '../model/run.js'
import type { GitSourceDefinition } from '../model/service.js'

/** What is plugged into Kiwi, by registered name. */
export interface Adapters {
  /** Asked in this order which of them fits. */
  readonly builders: Readonly<Record<string, Builder>>
  readonly registries: Readonly<Record<string, Registry>>
  readonly runtimes: Readonly<Record<string, Runtime>>
  source(definition: GitSourceDefinition): Source
}

/** One run while this process works on it: what the stages use. */
export interface PipelineRun<Request extends RunRequest = RunRequest> {
  readonly id: string
  readonly request: Request
  readonly adapters: Adapters
  readonly store: Store
  readonly clock: Clock
  readonly events: EventWriter
  /** Images that were built and are on their way to a registry. */
  readonly images: OciLayout
  /** The steps so far, by stage; kept up to date by `step`. */
  readonly journal: Map<Stage, StepRecord>
  /** A context for the adapters' calls of a stage. It fires when the lease is lost; before `deploy` also on cancel. */
  context(stage: Stage): StageContext
  /** Commands given so far, oldest first. */
  commands(): Promise<readonly Command[]>
  /** The files of the revision: opened once, deleted when the run ends. */
  tree(revision: Revision): Promise<Tree>
  /** A numbered place where a campaign may kill this process. */
  killPoint(name: string): void
}

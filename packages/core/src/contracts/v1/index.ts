export type {
  Action,
  EnsureSlot,
  HealthCheck,
  ImageAtUse,
  InstanceSpec,
  RemoveSlot,
  RemoveTarget,
  ResourceAmounts,
  Resources,
  RouteTo,
  RunOnce,
  Volume,
} from './actions.js'
export type { BuildAdvice, BuildReport, ReportedLayer, ReportedStep, WastedBytes } from './build-report.js'
export type { BuildCacheEnds, Builder, BuildIo, BuildNeed, BuildRequest, BuiltImage, Fit } from './builder.js'
export type { Clock } from './clock.js'
export type { Context, Fence, Probe, SecretReference } from './context.js'
export type { BlobFact, ChoiceFact, Fact, StepEndedFact, StepStartedFact } from './facts.js'
export type { BlobUpload, Descriptor, Digest, ImageSink, ImageSource, Platform } from './image.js'
export type { Json } from './json.js'
export type { ImagePlace, Protection, Registry } from './registry.js'
export type {
  Adoptable,
  Evidence,
  InstanceLog,
  LogOptions,
  Publish,
  Runtime,
  RuntimeTraits,
  Target,
} from './runtime.js'
export type { InstanceState, RouteState, SlotState, Snapshot, TaskState } from './snapshot.js'
export type { Ref, Revision, Source } from './source.js'
export type {
  AcceptedRun,
  Batch,
  Documents,
  DocumentWrite,
  Lease,
  RunFilter,
  RunRow,
  StepRecord,
  Store,
  Worker,
} from './store.js'
export type { Tree } from './tree.js'
export type { Delivery, Refusal, SourceChange, Trigger } from './trigger.js'

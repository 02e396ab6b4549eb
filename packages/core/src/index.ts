export { explainStepFailure, type StepExplanation, type StepFailureCause } from './build-failure/explain.js'
export { type AdvisedBuild, adviseBuild } from './build-report/advise.js'
export type * from './contracts/v1/index.js'
export { catalogue, type ErrorCode } from './errors/catalogue.js'
export { type Effect, type ErrorRecord, KiwiError, type KiwiErrorOptions } from './errors/kiwi-error.js'
export type { EventBody, KiwiEvent, ProgressEvent, Stage, StoredEvent } from './events/event.js'
export type { FeedItem, FeedOptions } from './events/feed.js'
export type { LogMatch, LogSearch } from './events/logs.js'
export type { Run } from './events/run-handle.js'
export { type OciArchive, ociArchive } from './image/archive.js'
export { type Compression, compress } from './image/compress.js'
export { digestOf, mismatch, verified } from './image/digest.js'
export type { CompressOptions } from './image/gzip.js'
export { type LayerMemory, layerMemory } from './image/layer-memory.js'
export { type OciLayout, ociLayout } from './image/layout.js'
export { type ImageManifest, isIndex, isManifest, mediaTypes, parseIndex, parseManifest } from './image/manifest.js'
export { pipe } from './image/pipe.js'
export type { PipeCompression } from './image/pipe-compressed.js'
export { type ImageReference, parseReference } from './image/reference.js'
export type { Order } from './journal/run-desk.js'
export { folderPrefix, isLeftBehind } from './journal/worker.js'
export { createKiwi, type Kiwi } from './kiwi.js'
export { serviceDefinitionJsonSchema } from './model/export.js'
export { formatCpu, formatMemory, parseCpu, parseMemory } from './model/quantity.js'
export type { Build, ImageRecord, Release } from './model/release.js'
export type { Command, QueuePolicy, RunKind, RunRequest } from './model/run.js'
export type {
  BeforeSwitch,
  BuildCache,
  BuildSettings,
  DirectorySourceDefinition,
  DockerfileChoice,
  EnvironmentDefinition,
  GitSourceDefinition,
  ImageSettings,
  ResourceQuantities,
  ResourceSettings,
  ServiceDefinition,
  SourceDefinition,
  Strategy,
  ToleranceSettings,
  TriggerDefinition,
} from './model/service.js'
export type { KiwiOptions } from './options.js'
export type { Doctor } from './plan/doctor.js'
export type { Change, Plan, Problem, Warning } from './plan/plan.js'
export type { Planner } from './plan/planner.js'
export type { AdapterEntry, AdapterFactory, AdapterRegister, RegisteredAdapter } from './registers/entry.js'
export type { Services } from './registers/services.js'
export type { Unprotected } from './release/guard.js'
export type { InstanceLogOptions } from './release/instance-logs.js'
export type { Protected } from './release/protect.js'
export type { Pruned, PrunedImage, PrunePolicy } from './release/prune.js'
export type { Quarantined } from './release/quarantine.js'
export type { ImpossibleCause, Readiness } from './release/readiness.js'
export type { RunInBrief, Status } from './release/status.js'
export { isSecretReference, secret } from './secrets/reference.js'
export type { SecretResolver } from './secrets/resolver.js'
export { memoryStore } from './stores/memory/index.js'
export { sqliteStore } from './stores/sqlite/index.js'
export type { Diagnosis, DiagnosisCode, Fix, Remedy } from './verdict/diagnosis.js'

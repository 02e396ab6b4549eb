export type * from './contracts/v1/index.js'
export { catalogue, type ErrorCode } from './errors/catalogue.js'
export { type Effect, type ErrorRecord, KiwiError, type KiwiErrorOptions } from './errors/kiwi-error.js'
export type { EventBody, KiwiEvent, ProgressEvent, Stage, StoredEvent } from './events/event.js'
export type { Run } from './events/run-handle.js'
export { digestOf, verified } from './image/digest.js'
export { type OciLayout, ociLayout } from './image/layout.js'
export { type ImageManifest, isIndex, isManifest, mediaTypes, parseIndex, parseManifest } from './image/manifest.js'
export { pipe } from './image/pipe.js'
export { type ImageReference, parseReference } from './image/reference.js'
export { folderPrefix, isLeftBehind } from './journal/worker.js'
export { createKiwi, type Kiwi } from './kiwi.js'
export type { ImageRecord, Release } from './model/release.js'
export type { Command, ReleaseRequest, RollbackRequest, RunRequest } from './model/run.js'
export type {
  BuildSettings,
  EnvironmentDefinition,
  GitSourceDefinition,
  ImageSettings,
  ServiceDefinition,
} from './model/service.js'
export type { Services } from './registers/services.js'
export type { KiwiOptions } from './options.js'
export { isSecretReference, secret } from './secrets/reference.js'
export type { SecretResolver } from './secrets/resolver.js'
export { gitSource } from './sources/git.js'
export { sqliteStore } from './stores/sqlite/index.js'

export { type Artifact, type ArtifactBlob, pushArtifact } from './artifact.js'
export type { CredentialOptions, Login } from './credentials.js'
export {
  type Collected,
  type CollectOptions,
  type EmbeddedRegistry,
  type EmbeddedRegistryOptions,
  embeddedRegistry,
} from './embedded/index.js'
export type { EndpointOptions } from './endpoint.js'
export type { Referrer } from './fallback.js'
export {
  type Harbor,
  type HarborArtifact,
  type HarborOptions,
  type HarborProject,
  type HarborProjects,
  type HarborQuota,
  type HarborRepository,
  type HarborRobot,
  type HarborRobots,
  type HarborTag,
  harbor,
  type NewRobot,
  type ProjectOptions,
  type RobotLogin,
  type RobotRight,
  type RobotSecret,
} from './harbor/index.js'
export { type DockerHub, type DockerHubOptions, dockerHub, type PullLimits } from './hub/index.js'
export type { ClientCertificate } from './identity.js'
export type { ReferrersOptions } from './referrers.js'
export { type OciRegistry, type OciRegistryOptions, ociRegistry } from './registry.js'
export {
  type EmbeddedRegistryServer,
  type ServeRegistryOptions,
  type SignInOptions,
  serveRegistry,
} from './server/index.js'

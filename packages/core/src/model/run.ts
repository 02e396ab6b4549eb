import type { Json } from '../contracts/v1/json.js'
import type { ImageRecord } from './release.js'
import type { ServiceDefinition } from './service.js'

/** What a run was asked to do; journaled as it is. `definition` is the service's as it was then, with the fixes asked for applied. */
export type RunRequest =
  | ReleaseRequest
  | BuildRunRequest
  | PushRequest
  | DeployRequest
  | RollbackRequest
  | RestartRequest
  | ScaleRequest
  | UndeployRequest
  | AdoptRequest

export type RunKind = RunRequest['kind']

interface Asked {
  readonly service: string
  readonly definition: ServiceDefinition
  readonly by: string
  readonly reason?: string | undefined
}

interface AskedOfEnvironment extends Asked {
  readonly environment: string
}

interface Deploys extends AskedOfEnvironment {
  /** Waits for `promote` before the route moves. */
  readonly hold?: boolean | undefined
  /** Marks the release: a rollback must not cross it unasked. */
  readonly schemaChange?: boolean | undefined
  /** Deploys a digest although it failed here before. */
  readonly acceptQuarantined?: boolean | undefined
}

/** Source to running release. */
export interface ReleaseRequest extends Deploys {
  readonly kind: 'release'
  /** Branch, tag or commit. */
  readonly ref: string
}

/** Source to image in the registry; without `push`, to image in the local store. */
export interface BuildRunRequest extends Asked {
  readonly kind: 'build'
  readonly ref: string
  readonly push: boolean
  readonly environment?: undefined
}

/** An image that was built and not pushed goes to the registry. */
export interface PushRequest extends Asked {
  readonly kind: 'push'
  readonly buildNumber: number
  readonly environment?: undefined
}

/** An image that exists becomes the running release. */
export interface DeployRequest extends Deploys {
  readonly kind: 'deploy'
  /** A tag or digest in the service's repository, or a whole reference (`registry-name/repository:tag`); or a record, already resolved. */
  readonly image: string | ImageRecord
  /** The environment whose release it was, for `advance`. */
  readonly from?: string | undefined
}

export interface RollbackRequest extends Deploys {
  readonly kind: 'rollback'
  /** Release id or number; left out: the newest good release before the one that runs. */
  readonly to?: string | number | undefined
  readonly acceptSchemaChange?: boolean | undefined
}

/** The current release again, in new instances. */
export interface RestartRequest extends AskedOfEnvironment {
  readonly kind: 'restart'
}

export interface ScaleRequest extends AskedOfEnvironment {
  readonly kind: 'scale'
  readonly replicas: number
}

/** Takes everything of the environment away; the history stays. */
export interface UndeployRequest extends AskedOfEnvironment {
  readonly kind: 'undeploy'
}

/** Takes over what runs already, as release 0. */
export interface AdoptRequest extends AskedOfEnvironment {
  readonly kind: 'adopt'
  /** The runtime's own words for what to take over (container names, a Deployment). */
  readonly selector: Json
}

/** What becomes of a run whose environment another run has: wait its turn, end the ones before it where they can be ended, or be refused. */
export type QueuePolicy = 'queue' | 'supersede' | 'reject'

/** Given to a run, by any process; kept in the store. */
export interface Command {
  /** `supersede` is a cancel that leaves a deployment that has begun alone. */
  readonly type: 'promote' | 'hold' | 'approve' | 'revert' | 'cancel' | 'supersede'
  readonly by: string
  readonly reason?: string | undefined
}

import type { ServiceDefinition } from './service.js'

/** What a run was asked to do; journaled as it is. `definition` is the service's as it was then. */
export type RunRequest = ReleaseRequest | RollbackRequest

export interface ReleaseRequest {
  readonly kind: 'release'
  readonly service: string
  readonly definition: ServiceDefinition
  readonly environment: string
  /** Branch, tag or commit. */
  readonly ref: string
  readonly by: string
  /** Waits for `promote` before the route moves. */
  readonly hold?: boolean | undefined
}

export interface RollbackRequest {
  readonly kind: 'rollback'
  readonly service: string
  readonly definition: ServiceDefinition
  readonly environment: string
  /** Release id or number; left out: the newest good release before the one that runs. */
  readonly to?: string | number | undefined
  readonly by: string
  readonly reason?: string | undefined
  readonly hold?: boolean | undefined
}

/** Given to a run that is under way, by any process; kept in the store. */
export interface Command {
  readonly type: 'promote' | 'hold' | 'revert' | 'cancel'
  readonly by: string
  readonly reason?: string | undefined
}

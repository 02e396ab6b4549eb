/** What a run was asked to do; journaled as it is. */
export type RunRequest = ReleaseRequest | RollbackRequest

export interface ReleaseRequest {
  readonly kind: 'release'
  readonly service: string
  readonly environment: string
  /** Branch, tag or commit. */
  readonly ref: string
  readonly by: string
}

export interface RollbackRequest {
  readonly kind: 'rollback'
  readonly service: string
  readonly environment: string
  /** Release id or number; left out: the newest good release before the one that runs. */
  readonly to?: string | number | undefined
  readonly by: string
  readonly reason?: string | undefined
}

/** Given to a run that is under way, by any process; kept in the store. */
export interface Command {
  readonly type: 'promote' | 'hold' | 'revert' | 'cancel'
  readonly by: string
  readonly reason?: string | undefined
}

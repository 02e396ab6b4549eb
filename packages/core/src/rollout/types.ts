import type { Action, ImageAtUse, InstanceSpec } from '../contracts/v1/actions.js'
import type { Json } from '../contracts/v1/json.js'
import type { Snapshot } from '../contracts/v1/snapshot.js'
import type { ErrorCode } from '../errors/catalogue.js'

/** What a rollout is after; committed before its first act and never changed. */
export interface Wanted {
  readonly slot: string
  readonly release: string
  readonly image: ImageAtUse
  readonly spec: InstanceSpec
  readonly replicas: number
  /** The slot that had the traffic when this was first wanted: kept ready for the way back. */
  readonly replaces: string | undefined
  readonly readyWithinMs: number
}

/** What people asked for meanwhile: go on, wait before the route moves, or go back. */
export type Instruction = 'promote' | 'hold' | 'revert'

/** Everything a decision is made from. */
export interface Seen {
  readonly snapshot: Snapshot
  readonly instruction: Instruction
  /** Since the slot was last seen ready; one that never was: since it was first wanted, also across crashes. */
  readonly unreadyMs: number
  /** Since the route was first seen on the wanted slot, in this process. */
  readonly settlingMs: number
  /** Since it was first decided to go back, in this process. */
  readonly goingBackMs: number
}

export type Decision =
  | { readonly type: 'act'; readonly action: Action }
  | {
      readonly type: 'wait'
      readonly for: string
      readonly ready: number
      readonly total: number
      readonly deadlineMs?: number | undefined
    }
  | { readonly type: 'done'; readonly route: readonly string[]; readonly addresses: readonly string[] }
  | { readonly type: 'fail'; readonly code: ErrorCode; readonly message: string; readonly evidence: Json }

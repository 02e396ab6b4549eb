import type { Action, ImageAtUse, InstanceSpec } from '../contracts/v1/actions.js'
import type { Json } from '../contracts/v1/json.js'
import type { Snapshot } from '../contracts/v1/snapshot.js'
import type { ErrorCode } from '../errors/catalogue.js'
import type { Strategy } from '../model/service.js'
import type { Diagnosis } from '../verdict/diagnosis.js'

/** How what is wanted is reached: the environment's strategy, or one of the two that change no release. */
export type Procedure = Strategy | 'scale' | 'remove'

/** All it takes to make a slot, also again. */
export interface SlotWanted {
  readonly slot: string
  readonly release: string
  readonly image: ImageAtUse
  readonly spec: InstanceSpec
  readonly replicas: number
}

/** What a rollout is after; committed before its first act and never changed. */
export interface Wanted extends SlotWanted {
  /** The slot that had the traffic when this was first wanted: what there is to go back to. */
  readonly replaces: SlotWanted | undefined
  /** Run once from the new image before it gets traffic. */
  readonly beforeSwitch: { readonly command: readonly string[]; readonly withinMs: number } | undefined
  readonly readyWithinMs: number
  readonly tolerance: Tolerance
}

export interface Tolerance {
  /** Ends by themselves, in all new instances together, that are put up with. */
  readonly restarts: number
  readonly silenceMs: number
}

/** What people asked for meanwhile: go on, wait before the route moves, or go back. */
export type Instruction = 'promote' | 'hold' | 'revert'

/** Everything a decision is made from. */
export interface Seen {
  readonly snapshot: Snapshot
  readonly instruction: Instruction
  /** Since the slot was last seen ready; one that never was: since it was first wanted, also across crashes. */
  readonly unreadyMs: number
  /** Since anything that is seen last changed, in this process. */
  readonly unchangedMs: number
  /** Since the task was first seen unfinished, or was first wanted; 0 when there is none. */
  readonly taskMs: number
  /** Since the route was first seen on the wanted slot alone, in this process. */
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
      /** What is not as it should be meanwhile, without being the end. */
      readonly diagnosis?: Diagnosis | undefined
    }
  | { readonly type: 'done'; readonly route: readonly string[]; readonly addresses: readonly string[] }
  | {
      readonly type: 'fail'
      readonly code: ErrorCode
      readonly message: string
      readonly evidence: Json
      readonly diagnosis: Diagnosis
    }

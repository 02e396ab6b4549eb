import type { Action, ImageAtUse, InstanceSpec } from '../contracts/v1/actions.js'
import type { Json } from '../contracts/v1/json.js'
import type { Snapshot } from '../contracts/v1/snapshot.js'
import type { ErrorCode } from '../errors/catalogue.js'
import type { Strategy } from '../model/service.js'
import type { Diagnosis } from '../verdict/diagnosis.js'
import type { Memory } from '../verdict/memory.js'

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

/**
 * What a rollout is after; committed before its first act and never changed.
 * `scale`: the routed slot with its new count, `replaces` the same slot with its old one. `remove`: the routed slot, which goes last.
 */
export interface Wanted extends SlotWanted {
  /** The slot that had the traffic when this was first wanted: what there is to go back to. */
  readonly replaces: SlotWanted | undefined
  /** Run once from the new image before it gets traffic. A rollback runs none. */
  readonly beforeSwitch: { readonly command: readonly string[]; readonly withinMs: number } | undefined
  /** For the whole slot, in `rolling` for each further instance; the old slot has the same time when it is brought back. */
  readonly readyWithinMs: number
  readonly tolerance: Tolerance
}

export interface Tolerance {
  /** So many ends by themselves, in all new instances together, are no accident any more; at least 1. */
  readonly restarts: number
  readonly silenceMs: number
}

/** What people asked for meanwhile: go on, wait before the route moves, or go back. */
export type Instruction = 'promote' | 'hold' | 'revert'

/** Everything a decision is made from. */
export interface Seen {
  readonly snapshot: Snapshot
  readonly instruction: Instruction
  /** The environment's name, for fixes of the definition. */
  readonly environment: string
  /** What earlier snapshots said of the new slot's instances. */
  readonly memory: Memory
  /** Since all ordered instances of the slot were last seen ready, or since more were ordered; before that 0. Also across crashes. */
  readonly unreadyMs: number
  /** Since anything that is seen last changed, in this process. */
  readonly unchangedMs: number
  /** Since the task was ordered; 0 when it was not. Also across crashes. */
  readonly taskMs: number
  /** The task was seen to succeed; also when it is not to be seen any more: nothing is migrated twice. Also across crashes. */
  readonly taskSucceeded: boolean
  /** Since the route was last seen to change or to be settled, in this process. */
  readonly settlingMs: number
  /** Since it was first decided to go back. Also across crashes. */
  readonly goingBackMs: number
  /** Since the old slot was first seen to be ordered as it was, on the way back; before that 0. Also across crashes. */
  readonly broughtMs: number
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
  | {
      readonly type: 'done'
      readonly route: readonly string[]
      readonly addresses: readonly string[]
      /** What could not be had on the way back, in one sentence. */
      readonly short?: string | undefined
    }
  | Failure

/** Forward is no use any more: evidence is kept, then it goes back. */
export interface Failure {
  readonly type: 'fail'
  readonly code: ErrorCode
  readonly message: string
  readonly evidence: Json
  readonly diagnosis: Diagnosis
}

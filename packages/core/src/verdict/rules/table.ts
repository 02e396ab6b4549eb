import type { ImageAtUse, InstanceSpec } from '../../contracts/v1/actions.js'
import type { InstanceState, SlotState } from '../../contracts/v1/snapshot.js'
import type { Diagnosis } from '../diagnosis.js'
import type { Memory, Statement } from '../memory.js'

/** What a rule may know besides the statement. */
export interface About {
  readonly slot: string
  readonly environment: string
  readonly spec: InstanceSpec
  readonly image: ImageAtUse
  readonly memory: Memory
  readonly ends: number
}

export function diagnose(_slot: SlotState | undefined, _about: About): Diagnosis | undefined {
  return undefined
}
export type { InstanceState, Statement }

import type { ImageAtUse, InstanceSpec } from '../../contracts/v1/actions.js'
import type { InstanceState, SlotState } from '../../contracts/v1/snapshot.js'
import type { Diagnosis } from '../diagnosis.js'
import type { Memory, Statement } from '../memory.js'
import { architecture } from './architecture.js'
import { configuration } from './configuration.js'
import { exit } from './exit.js'
import { health } from './health.js'
import { image } from './image.js'
import { outOfMemory } from './out-of-memory.js'
import { schedule } from './schedule.js'
import { start } from './start.js'

/** What a platform said of one instance, now or earlier. */
export interface Said extends Statement {
  readonly instance: string
}

/** What a rule may know besides the statement. */
export interface About {
  readonly slot: string
  readonly environment: string
  readonly spec: InstanceSpec
  readonly image: ImageAtUse
  readonly memory: Memory
  /** Ends by themselves, in all instances together. */
  readonly ends: number
}

export type Rule = (said: Said, about: About) => Diagnosis | undefined

/** The first one that knows something of any instance wins: what leaves no doubt stands before what may be its consequence. */
const rules: readonly Rule[] = [architecture, image, configuration, start, outOfMemory, exit, schedule, health]

/** What is wrong with the instances that are not ready; `undefined`: nothing that could be told from what was said so far. */
export function diagnose(slot: SlotState | undefined, about: About): Diagnosis | undefined {
  const unready = slot?.instances.filter(({ ready, phase }) => !ready && phase !== 'stopping') ?? []
  const statements = unready.flatMap((instance) => statementsOn(instance, about.memory))
  return first(rules, (rule) => first(statements, (said) => rule(said, about)))
}

/** The earliest first: later ones are vaguer. */
function statementsOn(instance: InstanceState, memory: Memory): Said[] {
  const { id, phase, exitCode, reason, message } = instance
  const known = memory.instances[id]
  const ended = known?.ended ? [known.ended] : []
  const all = [...(known?.creating ?? []), ...ended, { phase, exitCode, reason, message }]
  return all.map((statement) => ({ ...statement, instance: id }))
}

function first<T, Result>(all: readonly T[], find: (one: T) => Result | undefined): Result | undefined {
  for (const one of all) {
    const found = find(one)
    if (found !== undefined) return found
  }
  return undefined
}

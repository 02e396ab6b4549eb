import type { InstanceState, SlotState } from '../contracts/v1/snapshot.js'

/** What a platform said of an instance at one moment. */
export type Statement = Pick<InstanceState, 'phase' | 'exitCode' | 'reason' | 'message'>

/**
 * What earlier snapshots said of a slot's instances, by their ids. A platform says once why it cannot pull or start, and from then on only that
 * it backs off; and an instance that is replaced takes its count with it. Built again from what is seen after a crash.
 */
export interface Memory {
  readonly instances: Readonly<Record<string, InstanceMemory>>
}

interface InstanceMemory {
  /** Ends by itself. */
  readonly ends: number
  /** What was said before it ran, in order, each once; forgotten when it runs. */
  readonly creating: readonly Statement[]
  /** How it ended first. */
  readonly ended?: Statement | undefined
}

export const nothingSeen: Memory = { instances: {} }

/** Different statements about one instance before it runs; more are one of these with other numbers in it. */
const mostStatements = 8
/** A slot whose instances are made again and again must not fill the memory; the oldest go. */
const mostInstances = 200

export function remember(memory: Memory, slot: SlotState | undefined): Memory {
  if (!slot) return memory
  const seen = slot.instances.map((instance) => [instance.id, addTo(memory.instances[instance.id], instance)] as const)
  const entries = Object.entries({ ...memory.instances, ...Object.fromEntries(seen) })
  return { instances: Object.fromEntries(entries.slice(-mostInstances)) }
}

/** Ends by themselves, in all instances that were ever seen together. */
export function endsIn({ instances }: Memory): number {
  return Object.values(instances).reduce((sum, { ends }) => sum + ends, 0)
}

function addTo(known: InstanceMemory | undefined, instance: InstanceState): InstanceMemory {
  const { phase, exitCode, reason, message, restarts } = instance
  const said: Statement = { phase, exitCode, reason, message }
  const over = phase === 'exited' || exitCode !== undefined
  const ended = known?.ended ?? (over && phase !== 'stopping' ? said : undefined)
  const ends = Math.max(known?.ends ?? 0, restarts, phase === 'exited' ? 1 : 0)
  return { ends, creating: phase === 'creating' ? withNew(known?.creating ?? [], said) : [], ended }
}

function withNew(known: readonly Statement[], said: Statement): readonly Statement[] {
  if (said.reason === undefined && said.message === undefined) return known
  const again = known.some(({ reason, message }) => reason === said.reason && message === said.message)
  return again || known.length >= mostStatements ? known : [...known, said]
}

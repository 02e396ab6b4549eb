import type { RouteState, Snapshot } from '@kiwi/core'
import type { Slot } from './slot.js'
import type { State } from './state.js'
import type { Task } from './task.js'

/** What there is, beside what was ordered. */
export interface Present {
  readonly slots: Those<Slot>
  readonly tasks: Those<Task>
  /** Where the port is open. */
  readonly address: string | undefined
}

interface Those<T> {
  readonly ordered: ReadonlyMap<string, T>
  /** They still stop; their names may be free or taken again. */
  readonly leaving: readonly T[]
}

export function toSnapshot(state: State, { slots, tasks, address }: Present): Snapshot {
  return {
    revision: String(state.revision),
    fence: state.fence,
    slots: shown(slots).map((slot) => slot.state),
    tasks: shown(tasks).map((task) => task.state),
    route: toRoute(state, slots, address),
  }
}

/** One for each name. */
function shown<T extends Slot | Task>({ ordered, leaving }: Those<T>): readonly T[] {
  return [...ordered.values(), ...leaving.filter(({ order }) => !ordered.has(order.id))]
}

/** The address is there as long as the port is open, also while nothing is routed: it answers that nobody is ready. */
function toRoute({ route }: State, { ordered, leaving }: Those<Slot>, address: string | undefined): RouteState {
  const left = [...ordered.values(), ...leaving].filter(({ order }) => !route.includes(order.id))
  const draining = left.reduce((sum, slot) => sum + slot.open, 0)
  return { slots: route, settled: true, draining, addresses: address === undefined ? [] : [address] }
}

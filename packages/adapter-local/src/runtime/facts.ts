import type { Snapshot } from '@kiwi/core'
import type { State } from '../supervisor/state.js'

/** What an environment looks like while no supervisor runs: nothing does. */
export function atRest({ revision, fence, slots, tasks, route }: State): Snapshot {
  return {
    revision: String(revision),
    fence,
    slots: slots.map(({ id, release, digest, replicas }) => ({ id, release, digest, replicas, instances: [] })),
    tasks: tasks.map(({ id, slot, outcome }) => ({ id, slot, ...(outcome ?? { phase: 'creating' }) })),
    route: { slots: route, settled: true, draining: 0, addresses: [] },
  }
}

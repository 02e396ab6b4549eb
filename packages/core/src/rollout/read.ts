import type { SlotState, Snapshot } from '../contracts/v1/snapshot.js'

export function slotOf(snapshot: Snapshot, id: string): SlotState | undefined {
  return snapshot.slots.find((slot) => slot.id === id)
}

export function readyCount(slot: SlotState): number {
  return slot.instances.filter((instance) => instance.ready).length
}

/** At least one, and as many as were ordered. */
export function isReady(slot: SlotState, replicas: number): boolean {
  return replicas > 0 && readyCount(slot) >= replicas
}

/** The slots that get no traffic. */
export function unrouted({ slots, route }: Snapshot): SlotState[] {
  return slots.filter((slot) => !route.slots.includes(slot.id))
}

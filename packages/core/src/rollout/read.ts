import type { SlotState, Snapshot } from '../contracts/v1/snapshot.js'

export function slotOf(snapshot: Snapshot, id: string): SlotState | undefined {
  return snapshot.slots.find((slot) => slot.id === id)
}

export function readyCount(slot: SlotState | undefined): number {
  return slot?.instances.filter((instance) => instance.ready).length ?? 0
}

/** At least one, and as many as were ordered. */
export function isReady(slot: SlotState | undefined, replicas: number): boolean {
  return replicas > 0 && readyCount(slot) >= replicas
}

/** Whether the slot is ordered with that many instances, and the runtime shows as many. */
export function isOrdered(slot: SlotState | undefined, replicas: number): boolean {
  return slot !== undefined && slot.replicas === replicas && slot.instances.length >= replicas
}

/** Whether exactly this slot gets the traffic. */
export function isRoutedTo({ route }: Snapshot, slot: string): boolean {
  return route.slots.length === 1 && route.slots[0] === slot
}

/** Instances of routed slots that can take requests. */
export function readyRouted(snapshot: Snapshot): number {
  return snapshot.route.slots.reduce((sum, id) => sum + readyCount(slotOf(snapshot, id)), 0)
}

import type { Json } from '../contracts/v1/json.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { StoredEvent } from './event.js'

/** Written with every event. Raised only when a field changes its meaning or goes away: new types and fields need no new version. */
export const eventVersion = 1

/** An event as some version of Kiwi wrote it. */
export interface WrittenEvent {
  readonly v: number
  readonly [field: string]: Json | undefined
}

/** By version: makes an event of that version one of the next. */
export type Upcasts = Readonly<Record<number, (event: WrittenEvent) => WrittenEvent>>

const upcasts: Upcasts = {}

/** Makes an event of any earlier version one of today. Throws `STORE_FAILED` for one that a newer version wrote. */
export function upcast(
  event: WrittenEvent,
  { from = upcasts, to = eventVersion }: { readonly from?: Upcasts; readonly to?: number } = {},
): StoredEvent {
  let current = event
  while (current.v < to) {
    const { v } = current
    const next = from[v]
    if (!next) throw new KiwiError('STORE_FAILED', `there is no way to read an event of version ${v}`)
    current = { ...next(current), v: v + 1 }
  }
  if (current.v > to)
    throw new KiwiError('STORE_FAILED', `an event has version ${current.v}; this version of Kiwi knows ${to}`)
  return current as unknown as StoredEvent // what was written as an event of this version is one
}

import type { Snapshot } from '@kiwi/core'
import type { V1EndpointSlice } from '@kubernetes/client-node'

export interface Settling {
  readonly snapshot: Snapshot
  /** When to look again though nothing changed. */
  readonly againInMs?: number
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
}

/** What was written this long ago is old by any clock: the cluster's and ours may differ by less. */
const longAgoMs = 30_000

/**
 * Calls a route settled only when its endpoints have agreed for `withinMs`: the API shows endpoints before the nodes' proxies have
 * them (kube-proxy writes its rules about once a second), and nothing in the API tells when they do.
 */
export function settling(withinMs: number, clock: Clock = Date) {
  let agreed: { readonly route: string; readonly at: number } | undefined
  let first = true
  return (snapshot: Snapshot, endpointSlices: readonly V1EndpointSlice[]): Settling => {
    const { route } = snapshot
    const name = route.slots.join()
    const now = clock.now()
    const neverServed = name === '' && endpointSlices.every(({ metadata }) => (metadata?.generation ?? 1) <= 1)
    const old = neverServed || (first && now - lastWrite(endpointSlices) > longAgoMs)
    first = false
    if (!route.settled) agreed = undefined
    else if (agreed?.route !== name) agreed = { route: name, at: old ? now - withinMs : now }
    const left = agreed ? agreed.at + withinMs - now : 0
    if (left <= 0) return { snapshot }
    return { snapshot: { ...snapshot, route: { ...route, settled: false } }, againInMs: left }
  }
}

/** Raw JSON: times are text. */
function lastWrite(endpointSlices: readonly V1EndpointSlice[]): number {
  const times = endpointSlices.flatMap(({ metadata }) =>
    (metadata?.managedFields ?? []).map(({ time }) => Date.parse(String(time))),
  )
  return Math.max(0, ...times.filter((time) => !Number.isNaN(time)))
}

import { isIP } from 'node:net'
import type { Context, Snapshot, Target } from '@kiwi/core'
import type { V1Deployment, V1EndpointSlice, V1Job, V1NodeList, V1Pod, V1Service } from '@kubernetes/client-node'
import { snapshotOf } from './facts.js'
import { type Place, placeOf } from './objects/names.js'
import { firstMessages } from './pods/instance.js'
import type { Client } from './transport/client.js'
import { follow } from './watch/follow.js'
import { settling } from './watch/settling.js'

export interface ObserveOptions {
  /** How long the nodes may take to learn a route that the API shows already. */
  readonly routeSettlesWithinMs: number
}

/** Watches the five kinds of objects that a target consists of, and yields what they show together whenever that changes. */
export async function* observe(
  client: Client,
  target: Target,
  context: Context,
  { routeSettlesWithinMs }: ObserveOptions,
): AsyncGenerator<Snapshot> {
  const closed = new AbortController()
  const signal = AbortSignal.any([context.signal, closed.signal])
  const watching = watchAll(client, placeOf(client, target), signal)
  const settle = settling(routeSettlesWithinMs)
  let againInMs: number | undefined
  let last = ''
  try {
    const options = { host: await hostOf(client, target, signal), remember: firstMessages() }
    for (;;) {
      const seen = await watching.changed(againInMs)
      if (context.signal.aborted) return
      const settled = settle(snapshotOf(seen, options), seen.endpointSlices)
      againInMs = settled.againInMs
      const text = JSON.stringify(settled.snapshot)
      if (text === last) continue
      last = text
      yield settled.snapshot
    }
  } finally {
    closed.abort()
    await watching.ended
  }
}

/** Changes that come while the reader is busy become one. */
function watchAll(client: Client, place: Place, signal: AbortSignal) {
  let services: readonly V1Service[] | undefined
  let deployments: readonly V1Deployment[] | undefined
  let jobs: readonly V1Job[] | undefined
  let pods: readonly V1Pod[] | undefined
  let endpointSlices: readonly V1EndpointSlice[] | undefined
  let failure: { readonly error: unknown } | undefined
  let dirty = false
  let wake = () => {}
  const changed = () => {
    dirty = true
    wake()
  }
  const start = <T extends object>(
    path: string,
    query: Record<string, string>,
    keep: (objects: readonly T[]) => void,
  ) => {
    const onChange = (objects: readonly T[]) => {
      keep(objects)
      changed()
    }
    return follow<T>(client, { path, query }, { signal, onChange }).catch((error: unknown) => {
      failure ??= { error }
      wake()
    })
  }
  const own = { labelSelector: place.selector }
  const ended = Promise.all([
    start<V1Service>(place.services, { fieldSelector: `metadata.name=${place.name}` }, (found) => (services = found)),
    start<V1Deployment>(place.deployments, own, (found) => (deployments = found)),
    start<V1Job>(place.jobs, own, (found) => (jobs = found)),
    start<V1Pod>(place.pods, own, (found) => (pods = found)),
    start<V1EndpointSlice>(
      place.endpointSlices,
      { labelSelector: `kubernetes.io/service-name=${place.name}` },
      (found) => (endpointSlices = found),
    ),
  ])
  signal.addEventListener('abort', changed, { once: true })
  return {
    ended,
    /** Resolves with the newest state when it is another than the one before, or after `withinMs`; rejects when watching failed. */
    async changed(withinMs?: number) {
      const timer = withinMs === undefined ? undefined : setTimeout(changed, withinMs)
      try {
        for (;;) {
          if (failure && !signal.aborted) throw failure.error
          const complete = services && deployments && jobs && pods && endpointSlices
          if (dirty && (complete || signal.aborted)) break
          await new Promise<void>((resolve) => (wake = resolve))
        }
      } finally {
        clearTimeout(timer)
      }
      dirty = false
      return {
        service: services?.[0],
        deployments: deployments ?? [],
        jobs: jobs ?? [],
        pods: pods ?? [],
        endpointSlices: endpointSlices ?? [],
      }
    },
  }
}

/** Where node ports are reached from here: as the target says; on a cluster of this machine its loopback; else a node's address. */
async function hostOf(client: Client, { publish }: Target, signal: AbortSignal): Promise<string> {
  const api = client.server.hostname
  if (!isLoopback(publish.address) && publish.address !== '0.0.0.0' && publish.address !== '::') return publish.address
  if (isLoopback(api)) return '127.0.0.1'
  const nodes = await client
    .read<V1NodeList>({ path: '/api/v1/nodes', query: { limit: '1' } }, signal)
    .catch(() => undefined)
  const addresses = nodes?.items[0]?.status?.addresses ?? []
  const found =
    addresses.find(({ type }) => type === 'ExternalIP') ?? addresses.find(({ type }) => type === 'InternalIP')
  const host = found?.address ?? api
  return isIP(host) === 6 ? `[${host}]` : host
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host === '::1' || host.startsWith('127.')
}

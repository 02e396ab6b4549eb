import { join, resolve } from 'node:path'
import { systemClock } from '../clock.js'
import type { Clock } from '../contracts/v1/clock.js'
import type { Context } from '../contracts/v1/context.js'
import type { Store, Worker } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { createHub, type Hub } from '../events/hub.js'
import type { KiwiOptions } from '../options.js'
import { type Adapters, adapterPool } from '../registers/adapters.js'
import { createRedactor, type Redactor } from '../secrets/redactor.js'
import { createSecretAccess } from '../secrets/resolver.js'

/** Everything a run needs from the process that works on it. */
export interface Engine {
  readonly adapters: Adapters
  readonly store: Store
  readonly hub: Hub
  readonly clock: Clock
  readonly redactor: Redactor
  readonly secret: Context['secret']
  readonly directory: string
  readonly worker: Worker
  readonly host: string
  /** Fires when this process wants to stop working: runs stay as they are, for `resume`. */
  readonly closing: AbortSignal
  killPoint(name: string): void
}

/** Wires the parts of this process, and removes what a killed one left in its folder. */
export async function startEngine(options: KiwiOptions, worker: Worker): Promise<{ engine: Engine; close(): void }> {
  const {
    builders,
    registries = {},
    runtimes = {},
    kinds = {},
    store,
    secrets,
    clock = systemClock,
    onKillPoint,
  } = options
  const directory = resolve(options.directory ?? '.kiwi')
  const sources = await import('../sources/source.js') // importing this package has to be quick
  await sources.removeLeftovers(sourcesOf(directory))
  const redactor = createRedactor()
  const closing = new AbortController()
  let points = 0
  const engine: Engine = {
    adapters: {
      builders,
      registries: adapterPool('registry', store, registries, kinds.registries ?? {}),
      runtimes: adapterPool('runtime', store, runtimes, kinds.runtimes ?? {}),
      source: async (definition) =>
        options.source?.(definition) ??
        sources.createSource(definition, { directory: sourcesOf(directory), clock, exclude: [directory] }),
    },
    store,
    hub: createHub(),
    clock,
    redactor,
    secret: createSecretAccess({ resolve: secrets, redactor, signal: closing.signal }),
    directory,
    worker,
    host: `${worker.host}:${worker.pid}`,
    closing: closing.signal,
    killPoint: (name) => {
      points += 1
      onKillPoint?.({ number: points, name })
    },
  }
  return {
    engine,
    close: () => closing.abort(new KiwiError('LEASE_LOST', 'this process stopped working; resume the run')),
  }
}

function sourcesOf(directory: string): string {
  return join(directory, 'sources')
}

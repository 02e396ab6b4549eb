import { randomUUID } from 'node:crypto'
import type { Probe } from './contracts/v1/context.js'
import type { RunRow, Store } from './contracts/v1/store.js'
import { KiwiError } from './errors/kiwi-error.js'
import { type Run, runHandle } from './events/run-handle.js'
import { drive } from './journal/drive.js'
import { startEngine } from './journal/engine.js'
import { probeAll } from './journal/probe.js'
import { thisWorker } from './journal/worker.js'
import type { Release } from './model/release.js'
import type { Command, RunRequest } from './model/run.js'
import { definitionOf, type Services, servicesOf } from './model/services.js'
import type { KiwiOptions } from './options.js'
import { history } from './release/history.js'

interface Asked {
  readonly environment: string
  /** Who asks, for the history. */
  readonly by: string
  /** Waits for `promote` before the route moves. */
  readonly hold?: boolean | undefined
  /** A second request with the same id is answered with the first one's run. */
  readonly requestId?: string | undefined
}

type Order = Omit<Command, 'type'>

/** What a host application works with. Every run is durable when its promise resolves. */
export interface Kiwi extends AsyncDisposable {
  readonly services: Services
  /** Builds the ref, deploys it to the environment and verifies it. */
  release(service: string, options: Asked & { readonly ref: string }): Promise<Run>
  /** Deploys a kept release again: `to` is its number or id, by default the newest good one before the current. */
  rollback(
    service: string,
    options: Asked & { readonly to?: string | number | undefined; readonly reason?: string | undefined },
  ): Promise<Run>
  /** Lets a run that holds move the route. */
  promote(runId: string, order: Order): Promise<void>
  /** Makes a run wait before it moves the route. */
  hold(runId: string, order: Order): Promise<void>
  /** While the run is open: moves the route back and ends it. Afterwards: starts the rollback to the release it replaced, and answers with that run. */
  revert(runId: string, order: Order): Promise<Run | undefined>
  /** Stops the run; once `deploy` has begun, the route goes back first. */
  cancel(runId: string, order: Order): Promise<void>
  /** Follows any run, also one of another process. */
  run(runId: string): Promise<Run>
  runs(filter?: {
    readonly service?: string | undefined
    readonly unfinished?: boolean | undefined
  }): Promise<readonly RunRow[]>
  /** Takes over unfinished runs whose owner is gone: the one named, or all. */
  resume(runId?: string): Promise<readonly Run[]>
  /** All releases of the environment, oldest first. */
  history(service: string, environment: string): Promise<readonly Release[]>
  /** Asks every adapter how it is. */
  doctor(): Promise<readonly ({ readonly name: string; readonly part: 'builder' | 'registry' | 'runtime' } & Probe)[]>
  /** Stops working; unfinished runs stay as they are, for `resume`. */
  close(): Promise<void>
}

/** Wires the parts; decides nothing. Takes no run over: that is `resume`'s. */
export async function createKiwi(options: KiwiOptions): Promise<Kiwi> {
  const worker = thisWorker()
  const { engine, close } = await startEngine(options, worker)
  const { store, hub, clock, closing } = engine
  const working = new Map<string, Promise<void>>()

  const follow = (runId: string) => runHandle(runId, { store, hub, clock, signal: closing })
  const work = (runId: string, scope: string) => {
    if (working.has(runId)) return
    const job = drive(runId, scope, worker, engine)
      .catch((error: unknown) => hub.fail(runId, KiwiError.from(error)))
      .finally(() => working.delete(runId))
    working.set(runId, job)
  }
  const start = async (request: RunRequest, requestId: string | undefined): Promise<Run> => {
    const scope = `${request.service}/${request.environment}`
    const dedupe = requestId === undefined ? undefined : `${scope}/${requestId}`
    const { runId } = await store.accept({ runId: randomUUID(), scope, request, dedupe, nowMs: clock.now() })
    work(runId, scope)
    return follow(runId)
  }
  const order = async (runId: string, command: Command): Promise<RunRow> => {
    const row = await known(store, runId)
    await store.command(runId, command, clock.now())
    return row
  }
  const kiwi: Kiwi = {
    services: servicesOf(store),
    async release(service, { ref, environment, by, hold, requestId }) {
      const definition = await definitionOf(store, service, environment)
      return start(
        { kind: 'release', service, definition, environment, ref, by, ...(hold !== undefined && { hold }) },
        requestId,
      )
    },
    async rollback(service, { environment, to, by, reason, hold, requestId }) {
      const definition = await definitionOf(store, service, environment)
      const request = {
        kind: 'rollback',
        service,
        definition,
        environment,
        to,
        by,
        reason,
        ...(hold !== undefined && { hold }),
      } as const
      return start(request, requestId)
    },
    promote: async (runId, by) => void (await order(runId, { ...by, type: 'promote' })),
    hold: async (runId, by) => void (await order(runId, { ...by, type: 'hold' })),
    cancel: async (runId, by) => void (await order(runId, { ...by, type: 'cancel' })),
    async revert(runId, { by, reason }) {
      if (isOpen(await known(store, runId))) await order(runId, { type: 'revert', by, reason })
      const { status, request } = await known(store, runId) // it may have ended meanwhile, and missed the command
      if (status !== 'succeeded') return undefined
      const { service, environment } = request
      const release = (await history(store, service, environment)).find((one) => one.runId === runId)
      if (!release?.replaced) throw new KiwiError('ROLLBACK_IMPOSSIBLE', `run ${runId} replaced no release`)
      return kiwi.rollback(service, { environment, by, to: release.replaced, reason })
    },
    run: async (runId) => follow((await known(store, runId)).runId),
    runs: (filter = {}) => store.runs(filter),
    async resume(runId) {
      const open = runId === undefined ? await store.runs({ unfinished: true }) : [await known(store, runId)]
      for (const { runId: id, scope } of open) work(id, scope)
      return open.map(({ runId: id }) => follow(id))
    },
    history: (service, environment) => history(store, service, environment),
    doctor: () => probeAll(engine),
    async close() {
      close()
      await Promise.allSettled(working.values())
    },
    [Symbol.asyncDispose]: () => kiwi.close(),
  }
  return kiwi
}

function isOpen({ status }: RunRow): boolean {
  return status === 'accepted' || status === 'running'
}

async function known(store: Store, runId: string): Promise<RunRow> {
  const row = await store.run(runId)
  if (!row) throw new KiwiError('RUN_UNKNOWN', `there is no run ${runId}`)
  return row
}

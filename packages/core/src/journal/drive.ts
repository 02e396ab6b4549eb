import type { Lease } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { stoppingOf } from './cancel.js'
import type { Engine } from './engine.js'
import { leaseTtlMs } from './lease.js'

/** While another process holds the scope, its lease is looked at this often. */
const lookEveryMs = 200

/**
 * Works on the runs of a scope, oldest first, until `runId` has ended, whoever ends it. So a run that a killed process left behind is
 * finished before the next one begins, and nothing ever needs to be unlocked by hand.
 */
export async function drive(runId: string, scope: string, engine: Engine): Promise<void> {
  const { store, clock, closing, worker } = engine
  while (!closing.aborted) {
    const lease = await store.claim(worker, { scope, nowMs: clock.now(), ttlMs: leaseTtlMs })
    if (lease) await work(lease, engine).catch(leftToItsOwner)
    const status = (await store.run(runId))?.status
    if (status !== 'accepted' && status !== 'running') return
    if (!lease) await clock.sleep(lookEveryMs, closing).catch(() => undefined)
  }
}

/** A run that needs what this process does not have is given back, for one that has it; one that was stopped before it deploys needs nothing. */
async function work(lease: Lease, engine: Engine): Promise<void> {
  const { store, clock, closing } = engine
  const missing = await missingFor(lease, engine)
  // The pipeline is loaded with the first run: importing this package has to be quick.
  if (missing === undefined) return (await import('./execute.js')).execute(lease, engine)
  await tellOnce(lease, missing, engine)
  await store.giveBack(lease)
  await clock.sleep(adapterEveryMs, closing).catch(() => undefined)
}

/** How often it is looked whether a missing adapter has been registered meanwhile. */
const adapterEveryMs = 1_000

async function missingFor({ runId }: Lease, { store, adapters }: Engine): Promise<KiwiError | undefined> {
  const row = await store.run(runId)
  const deploys = (await store.steps(runId)).some(({ name }) => name === 'deploy')
  if (!row || (!deploys && stoppingOf(await store.commands(runId)))) return undefined
  const { definition, environment } = row.request
  const runtime = environment === undefined ? undefined : definition.environments[environment]?.runtime
  const needed = [
    adapters.registries.get(definition.image.registry),
    ...(runtime === undefined ? [] : [adapters.runtimes.get(runtime)]),
  ]
  const errors = (await Promise.allSettled(needed)).flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
  return errors.find((error) => KiwiError.is(error) && error.code === 'ADAPTER_UNAVAILABLE')
}

async function tellOnce(lease: Lease, { message }: KiwiError, { store, clock, redactor }: Engine): Promise<void> {
  const what = redactor.text(message)
  const { lastSeq = 0 } = (await store.run(lease.runId)) ?? {}
  const [last] = await store.read(lease.runId, lastSeq - 1, 1)
  if (last?.type === 'run-waiting' && last.what === what) return
  await store.commit(lease, { events: [{ at: clock.now(), body: { type: 'run-waiting', for: 'adapter', what } }] })
}

/** Another process took the run over while this one worked on it: this one follows it instead. */
function leftToItsOwner(error: unknown): void {
  if (!KiwiError.is(error) || error.code !== 'LEASE_LOST') throw error
}

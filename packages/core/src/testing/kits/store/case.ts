import assert from 'node:assert/strict'
import type { Batch, Lease, Store, Worker } from '../../../contracts/v1/store.js'
import type { ErrorCode } from '../../../errors/catalogue.js'
import type { KiwiError } from '../../../errors/kiwi-error.js'
import type { EventBody, StoredEvent } from '../../../events/event.js'
import { thisWorker } from '../../../journal/worker.js'
import type { QueuePolicy, RunRequest } from '../../../model/run.js'
import { rejects } from '../expect.js'
import type { KitCase } from '../kit.js'

export interface StoreKitOptions {
  readonly create: () => Promise<Store>
  /** Opens the same data once more, as another process would, while the first is open. Left out where the data is the store's alone. */
  readonly reopen?: ((store: Store) => Promise<Store>) | undefined
}

export interface StoreCase {
  readonly name: string
  readonly check: (store: Store) => Promise<void>
}

export function storeCase(name: string, check: StoreCase['check'], { create }: StoreKitOptions): KitCase {
  return {
    name,
    async run() {
      const store = await create()
      try {
        await check(store)
      } finally {
        await store.close()
      }
    },
  }
}

export const self: Worker = thisWorker()
export const times = { nowMs: 1_000, ttlMs: 15_000 }
export const scope = 'web/production'

export function request(
  changes: { readonly service?: string; readonly environment?: string; readonly by?: string } = {},
): RunRequest {
  const { service = 'web', environment = 'production', by = 'ana' } = changes
  const image = { registry: 'main', repository: service }
  const definition = { name: service, source: { git: 'https://git.example/web.git' }, image, environments: {} }
  return { kind: 'release', service, environment, ref: 'main', by, definition }
}

export interface AcceptChanges {
  readonly scope?: string
  readonly dedupe?: string
  readonly policy?: QueuePolicy
  readonly nowMs?: number
  readonly request?: RunRequest
}

export function accept(store: Store, runId: string, changes: AcceptChanges = {}): ReturnType<Store['accept']> {
  return store.accept({ runId, scope, request: request(), nowMs: 500, ...changes })
}

/** Takes the run in, and the lease of its scope. */
export async function begin(store: Store, runId: string, changes: AcceptChanges = {}): Promise<Lease> {
  await accept(store, runId, changes)
  const lease = await store.claim(self, { ...times, scope: changes.scope ?? scope })
  assert.equal(lease?.runId, runId)
  assert(lease)
  return lease
}

export function log(text: string): NonNullable<Batch['events']>[number] {
  return { at: 1_001, stage: 'build', body: { type: 'log', stream: 'out', text } }
}

export function rejectsWith(code: ErrorCode, work: Promise<unknown>): Promise<KiwiError> {
  return rejects(work, code, { codes: [code] })
}

export function typesOf(events: readonly StoredEvent[]): readonly EventBody['type'][] {
  return events.map(({ type }) => type)
}

export function seqsOf(events: readonly StoredEvent[]): readonly number[] {
  return events.map(({ seq }) => seq)
}

export function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index + 1)
}

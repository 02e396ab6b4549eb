import { expect, it } from 'vitest'
import type { EnsureSlot, InstanceSpec } from '../../contracts/v1/actions.js'
import type { Snapshot } from '../../contracts/v1/snapshot.js'
import { testContext } from '../context.js'
import { type MemoryRuntime, memoryRuntime } from './index.js'

const context = testContext()
const web = {
  service: 'web',
  environment: 'test',
  publish: { protocol: 'http', address: '127.0.0.1', port: 0 },
} as const
const spec: InstanceSpec = {
  env: {},
  port: 3000,
  health: { type: 'http', path: '/', intervalMs: 100, timeoutMs: 100 },
  volumes: [],
  resources: { requests: {}, limits: {} },
  stopGraceMs: 100,
}
const image = { digest: 'sha256:1', name: 'web:1', pull: 'memory.test/web@sha256:1' }
const ensure = (slot: string, replicas = 1): Omit<EnsureSlot, 'revision'> => ({
  ...{ type: 'ensure-slot', slot, release: `release-${slot}`, image, spec, replicas },
})

async function until(runtime: MemoryRuntime, is: (seen: Snapshot) => boolean): Promise<Snapshot> {
  const signal = AbortSignal.timeout(2_000)
  for await (const seen of runtime.observe(web, testContext({ signal }))) if (is(seen)) return seen
  throw new Error(JSON.stringify(runtime.snapshot(web)))
}

const order = (runtime: MemoryRuntime, action: object) =>
  runtime.act(web, { ...action, revision: runtime.snapshot(web).revision } as never, context)
const ready = (slot: string, count: number) => (seen: Snapshot) =>
  seen.slots.find(({ id }) => id === slot)?.instances.filter((one) => one.ready).length === count

it('makes again what was lost, when the slot is ordered again', async () => {
  const runtime = memoryRuntime()
  await runtime.claim(web, context)
  await order(runtime, ensure('a', 2))
  await until(runtime, ready('a', 2))
  const { revision } = runtime.snapshot(web)
  runtime.lose(web, 'a')
  expect(await until(runtime, ready('a', 0))).toMatchObject({ revision, slots: [{ replicas: 2, instances: [] }] })
  await order(runtime, ensure('a', 2))
  await until(runtime, ready('a', 2))
})

it('follows a change of health without an order', async () => {
  let well = true
  const runtime = memoryRuntime({ health: () => (well ? 'ready' : { exits: 9 }) })
  await runtime.claim(web, context)
  await order(runtime, ensure('a'))
  const { revision } = await until(runtime, ready('a', 1))
  well = false
  runtime.refresh()
  expect(await until(runtime, ready('a', 0))).toMatchObject({ revision, slots: [{ instances: [{ exitCode: 9 }] }] })
})

it('starts what crashes again, and shows it ready after the times it was to crash', async () => {
  const runtime = memoryRuntime({ health: () => ({ exits: 3, times: 2 }) })
  await runtime.claim(web, context)
  await order(runtime, ensure('a'))
  const seen = await until(runtime, ready('a', 1))
  expect(seen.slots[0]?.instances).toMatchObject([{ phase: 'running', restarts: 2, exitCode: 3 }])
})

it('takes its time to stop, and to drain, when told to', async () => {
  const runtime = memoryRuntime({ stopsAfterMs: 20, drainsAfterMs: 20, settlesAfterMs: 10 })
  await runtime.claim(web, context)
  await order(runtime, ensure('a'))
  await order(runtime, { type: 'route', from: [], to: ['a'] })
  await until(runtime, ({ route }) => route.settled)
  await order(runtime, { type: 'route', from: ['a'], to: [] })
  expect(runtime.snapshot(web).route).toMatchObject({ settled: false, draining: 1 })
  await until(runtime, ({ route }) => route.draining === 0)
  await order(runtime, { type: 'remove-slot', slot: 'a' })
  expect(runtime.snapshot(web).slots[0]?.instances).toMatchObject([{ phase: 'stopping', ready: false }])
  await until(runtime, ({ slots }) => slots.length === 0)
})

import assert from 'node:assert/strict'
import { isPlainJson, rejects, stops } from '../expect.js'
import type { KitCase } from '../kit.js'
import { instancesIn, isReady, runtimeCase, slotIn } from './bench.js'
import type { RuntimeKitOptions } from './options.js'

/** Making slots, their size, and conditional writes. */
export function slotCases(options: RuntimeKitOptions): KitCase[] {
  return [
    runtimeCase(
      options,
      'brings a slot up with as many instances as ordered, and routes nothing to it',
      async (bench) => {
        const { ready, images } = bench
        const seen = await ready('a', { replicas: 2 })
        const { id, release, digest, replicas, instances } = slotIn(seen, 'a') ?? {}
        assert.deepEqual([id, release, digest, replicas], ['a', 'release-a', images[0].digest, 2])
        assert.equal(new Set(instances?.map((one) => one.id)).size, 2, 'instances have ids of their own')
        assert.ok(instances?.every(({ phase, restarts }) => phase === 'running' && restarts === 0))
        assert.deepEqual(seen.route.slots, [])
        isPlainJson(seen, 'a snapshot')
      },
    ),
    runtimeCase(options, 'keeps slots beside each other', async ({ ready, images }) => {
      await ready('a')
      const seen = await ready('b', { image: images[1] })
      assert.ok(isReady('a', 1)(seen), 'the first slot is still there')
      assert.deepEqual(slotIn(seen, 'b')?.digest, images[1].digest)
    }),
    runtimeCase(options, 'keeps targets apart', async (bench) => {
      const { runtime, target, context, ready, look } = bench
      const other = { ...target, environment: 'other' }
      await runtime.claim(other, context())
      await ready('a')
      for await (const seen of runtime.observe(other, context())) {
        assert.deepEqual(seen.slots, [], 'another environment shows the slot')
        await runtime.act(other, { type: 'remove-target', revision: seen.revision }, context())
        break
      }
      assert.ok(isReady('a', 1)(await look()))
    }),
    runtimeCase(options, 'moves the revision with an order, not when an instance becomes ready', async (bench) => {
      const { look, order, ensure, until } = bench
      const before = await look()
      await order(ensure('a'))
      const ordered = await until('the slot shows', (seen) => slotIn(seen, 'a')?.replicas === 1)
      const ready = await until('it is ready', isReady('a', 1))
      assert.notEqual(ordered.revision, before.revision, 'the order')
      assert.equal(ready.revision, ordered.revision, 'becoming ready')
    }),
    runtimeCase(options, 'leaves a slot alone that is as it was ordered', async ({ ready, order, ensure, look }) => {
      const before = await ready('a', { replicas: 2 })
      await order(ensure('a', { replicas: 2 }))
      const after = await look()
      assert.deepEqual([after.revision, after.slots], [before.revision, before.slots])
    }),
    runtimeCase(
      options,
      'makes a slot larger, smaller, empty and full again',
      async ({ ready, order, ensure, until, look }) => {
        const ids = instancesIn(await ready('a', { replicas: 1 }), 'a').map(({ id }) => id)
        const larger = instancesIn(await ready('a', { replicas: 3 }), 'a').map(({ id }) => id)
        assert.ok(
          ids.every((id) => larger.includes(id)),
          'an instance that is wanted still was replaced',
        )
        await order(ensure('a', { replicas: 1 }))
        await until('one is left', (seen) => isReady('a', 1)(seen) && instancesIn(seen, 'a').length === 1)
        await order(ensure('a', { replicas: 0 }))
        await until('it is empty', (seen) => slotIn(seen, 'a')?.replicas === 0 && instancesIn(seen, 'a').length === 0)
        assert.equal(slotIn(await look(), 'a')?.release, 'release-a', 'an empty slot is kept')
        await ready('a', { replicas: 2 })
      },
    ),
    runtimeCase(options, 'refuses an order that was decided on an older state, and changes nothing', async (bench) => {
      const { runtime, target, context, look, ready, ensure } = bench
      const { revision } = await look()
      await ready('a')
      const stale = { ...ensure('b'), revision }
      await rejects(runtime.act(target, stale, context()), 'a stale order', { codes: ['CONFLICT'], effect: 'none' })
      assert.equal(slotIn(await look(), 'b'), undefined)
    }),
    runtimeCase(options, 'changes nothing once the signal has fired', async (bench) => {
      const { runtime, target, context, look, ensure } = bench
      const { revision } = await look()
      await stops(runtime.act(target, { ...ensure('a'), revision }, context(1, AbortSignal.abort())), 'ensure-slot')
      const after = await look()
      assert.deepEqual([after.revision, after.slots], [revision, []])
    }),
    runtimeCase(options, 'needs every secret before it makes anything', async (bench) => {
      const { runtime, target, context, look, ensure } = bench
      const { revision } = await look()
      const order = ensure('a')
      const spec = { ...order.spec, env: { NOPE: { secret: 'NOPE' } } }
      const call = runtime.act(target, { ...order, spec, revision }, context())
      await rejects(call, 'a missing secret', { codes: ['SECRET_MISSING'], effect: 'none' })
      assert.deepEqual((await look()).slots, [])
    }),
    runtimeCase(options, 'refuses every order of an overtaken operation', async (bench) => {
      const { runtime, target, context, ready, until, ensure, runOnce, programs, route } = bench
      await ready('a')
      await ready('b')
      await route([], ['a'])
      await runtime.claim(target, context(9))
      const before = await until('the newer claim shows', ({ fence }) => fence === 9)
      const { revision } = before
      const orders = [
        ensure('a', { replicas: 2 }),
        ensure('c'),
        runOnce('t', 'c', programs.succeeds),
        { type: 'route', from: ['a'], to: ['b'] },
        { type: 'remove-slot', slot: 'b' },
        { type: 'remove-target' },
      ] as const
      for (const order of orders) {
        const call = runtime.act(target, { ...order, revision }, context(8))
        await rejects(call, `${order.type} with an older token`, { codes: ['FENCED'], effect: 'none' })
      }
      const after = await bench.look()
      assert.deepEqual([after.revision, after.route.slots], [revision, ['a']])
      assert.deepEqual([after.slots.map(({ id }) => id), after.tasks], [before.slots.map(({ id }) => id), []])
    }),
  ]
}

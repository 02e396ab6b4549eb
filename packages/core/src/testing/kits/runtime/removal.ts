import assert from 'node:assert/strict'
import { rejects } from '../expect.js'
import type { KitCase } from '../kit.js'
import { type Bench, instancesIn, isReady, runtimeCase, slotIn } from './bench.js'
import type { RuntimeKitOptions } from './options.js'

/** Taking away, and taking over. */
export function removalCases(options: RuntimeKitOptions): KitCase[] {
  return [
    runtimeCase(options, 'removes a slot with its instances, and no other', async ({ ready, order, until, images }) => {
      await ready('a')
      await ready('b', { image: images[1] })
      await order({ type: 'remove-slot', slot: 'a' })
      const seen = await until('it is gone', (one) => slotIn(one, 'a') === undefined)
      assert.ok(isReady('b', 1)(seen))
    }),
    runtimeCase(options, 'refuses to remove a slot that gets the traffic', async (bench) => {
      const { runtime, target, context } = bench
      await bench.ready('a')
      const { revision } = await bench.route([], ['a'])
      const call = runtime.act(target, { type: 'remove-slot', revision, slot: 'a' }, context())
      await rejects(call, 'removing what is routed', { effect: 'none' })
      assert.ok(isReady('a', 1)(await bench.look()))
    }),
    runtimeCase(options, 'makes a slot again that was removed', async ({ ready, order, until }) => {
      await ready('a')
      await order({ type: 'remove-slot', slot: 'a' })
      await until('it is gone', (seen) => slotIn(seen, 'a') === undefined)
      await ready('a')
    }),
    runtimeCase(
      options,
      'removes the target when no slot is left, and begins anew with the next claim',
      async (bench) => {
        const { runtime, target, context, order, until, look, ready } = bench
        await ready('a')
        await order(bench.runOnce('migrate', 'a', bench.programs.succeeds))
        const { revision } = await look()
        const call = runtime.act(target, { type: 'remove-target', revision }, context())
        await rejects(call, 'removing a target that has a slot', { effect: 'none' })
        assert.equal(instancesIn(await look(), 'a').length, 1)
        await order({ type: 'remove-slot', slot: 'a' })
        await until('the slot is gone', ({ slots }) => slots.length === 0)
        await order({ type: 'remove-target' })
        await until('nothing is left', ({ slots, tasks, route }) => {
          return slots.length + tasks.length + route.slots.length + route.addresses.length === 0
        })
        await runtime.claim(target, context(2))
        await until('the new claim shows', ({ fence }) => fence === 2)
        await bench.order(bench.ensure('b'), 2)
        await until('b is ready', isReady('b', 1))
      },
    ),
    ...(options.foreign ? [runtimeCase(options, 'takes over what others made, restarting nothing', takesOver)] : []),
    runtimeCase(
      options,
      'can describe what it can take over, and has a sink where it does not pull',
      async ({ runtime }) => {
        assert.equal(runtime.adoptable === undefined, runtime.adopt === undefined, 'adoptable and adopt come together')
        assert.ok(!runtime.adopt || options.foreign, 'give the kit `foreign`: the runtime has `adopt`')
        assert.ok(runtime.traits.takes.length > 0, 'it takes images from somewhere')
        assert.ok(runtime.traits.takes.includes('registry') || runtime.sink, 'it neither pulls nor has a sink')
      },
    ),
  ]
}

async function takesOver({ runtime, target, options, context, look, until }: Bench): Promise<void> {
  if (!runtime.adoptable || !runtime.adopt) return assert.fail('the runtime has no `adopt`')
  assert.equal(await runtime.adoptable(target, 'nothing-is-called-this', context()), undefined)
  const { selector } = (await options.foreign?.(target, runtime)) ?? assert.fail('nothing was started')
  const { revision } = await look()
  const found = await runtime.adoptable(target, selector, context())
  assert.ok(found && found.replicas > 0 && found.image !== '', 'it is described')
  assert.equal((await look()).revision, revision, 'describing changes nothing')
  await runtime.adopt(target, selector, 'taken', context())
  const seen = await until('it is a slot', isReady('taken', found.replicas))
  assert.deepEqual(seen.route.slots, ['taken'])
  assert.ok(instancesIn(seen, 'taken').every(({ restarts }) => restarts === 0))
}

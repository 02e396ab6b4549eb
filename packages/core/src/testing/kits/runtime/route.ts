import assert from 'node:assert/strict'
import type { Snapshot } from '../../../contracts/v1/snapshot.js'
import { rejects } from '../expect.js'
import type { KitCase } from '../kit.js'
import { ask, type Bench, isReady, runtimeCase } from './bench.js'
import type { RuntimeKitOptions } from './options.js'

/** Who gets the traffic. */
export function routeCases(options: RuntimeKitOptions): KitCase[] {
  return [
    runtimeCase(options, 'moves the route to a slot, to another and back', async (bench) => {
      await twoSlots(bench)
      await answered(bench, await bench.route([], ['a']), [0])
      const { revision } = await bench.look()
      const moved = await bench.route(['a'], ['b'])
      assert.notEqual(moved.revision, revision, 'a move of the route is an order')
      assert.deepEqual(moved.route.slots, ['b'])
      await answered(bench, moved, [1])
      await answered(bench, await bench.route(['b'], ['a']), [0])
      assert.ok(isReady('b', 1)(await bench.look()), 'the slot that the route has left runs on')
    }),
    runtimeCase(options, 'keeps its addresses whatever is routed', async (bench) => {
      await twoSlots(bench)
      const before = await bench.route([], ['a'])
      const after = await bench.route(['a'], ['b'])
      assert.deepEqual(after.route.addresses, before.route.addresses)
      for (const address of after.route.addresses) assert.ok(URL.canParse(address), `${address} is a URL`)
    }),
    runtimeCase(options, 'refuses to move the route from where it is not', async (bench) => {
      const { runtime, target, context, look } = bench
      await twoSlots(bench)
      await bench.route([], ['a'])
      for (const from of [[], ['b'], ['a', 'b']]) {
        const { revision } = await look()
        const call = runtime.act(target, { type: 'route', revision, from, to: ['b'] }, context())
        await rejects(call, `from [${from}]`, { codes: ['CONFLICT'], effect: 'none' })
      }
      assert.deepEqual((await look()).route.slots, ['a'])
    }),
    runtimeCase(options, 'lets one of two moves win that were decided on the same state', async (bench) => {
      const { runtime, target, context, look } = bench
      await twoSlots(bench)
      const { revision } = await look()
      const moves = ['a', 'b'].map((slot) =>
        runtime.act(target, { type: 'route', revision, from: [], to: [slot] }, context()),
      )
      const outcomes = await Promise.allSettled(moves)
      const won = ['a', 'b'].filter((_, index) => outcomes[index]?.status === 'fulfilled')
      assert.equal(won.length, 1, `${won.length} moves were accepted`)
      for (const [index, move] of moves.entries())
        if (outcomes[index]?.status === 'rejected')
          await rejects(move, 'the other move', { codes: ['CONFLICT'], effect: 'none' })
      await bench.until('the move that won shows', ({ route }) => route.slots.join() === won.join())
    }),
    runtimeCase(options, 'closes the service when the route goes to no slot', async (bench) => {
      await bench.ready('a')
      const open = await bench.route([], ['a'])
      await answered(bench, open, [0])
      const { route } = await bench.route(['a'], [])
      assert.deepEqual(route.slots, [])
      const [first] = options.answers ?? []
      const [address = ''] = open.route.addresses
      if (first !== undefined) assert.notEqual(await ask(address).catch(String), first, 'the slot still answers')
    }),
    runtimeCase(
      options,
      'routes to several slots at once, where it says that it can, and else refuses',
      async (bench) => {
        const { runtime, target, context, look } = bench
        await twoSlots(bench)
        if (runtime.traits.routes === 'many') {
          await answered(bench, await bench.route([], ['a', 'b']), [0, 1])
          await answered(bench, await bench.route(['b', 'a'], ['b']), [1])
          return
        }
        const { revision } = await look()
        const call = runtime.act(target, { type: 'route', revision, from: [], to: ['a', 'b'] }, context())
        await rejects(call, 'a route to two slots', { effect: 'none' })
        assert.deepEqual((await look()).route.slots, [])
      },
    ),
  ]
}

async function twoSlots({ ready, images }: Bench): Promise<void> {
  await ready('a')
  await ready('b', { image: images[1] })
}

const requests = 30

/** New requests are answered by those images, each of them, and by no other. */
async function answered({ options }: Bench, { route }: Snapshot, by: readonly (0 | 1)[]): Promise<void> {
  if (!options.answers) return
  const [address] = route.addresses
  assert.ok(address !== undefined, 'there is an address')
  const given = new Set<string>()
  for (let count = 0; count < requests; count++) given.add(await ask(address))
  assert.deepEqual([...given].sort(), by.map((index) => options.answers?.[index]).sort())
}

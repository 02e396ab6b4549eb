import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { isPlainJson, isProbe, rejects, stops, within } from '../expect.js'
import type { KitCase } from '../kit.js'
import { type Bench, runtimeCase } from './bench.js'
import type { RuntimeKitOptions } from './options.js'

/** Probe, claim and the stream of states. */
export function claimCases(options: RuntimeKitOptions): KitCase[] {
  const unclaimed = (name: string, check: (bench: Bench) => Promise<void>) =>
    runtimeCase(options, name, check, { claimed: false })
  return [
    unclaimed('says in a probe what answers', async ({ runtime, context }) => {
      isProbe(await runtime.probe(context()), 'the runtime')
      assert.equal(runtime.contract, 'runtime/v1')
    }),
    unclaimed('shows nothing of a target that was never claimed', async ({ look }) => {
      const { fence, slots, tasks, route } = await look()
      assert.deepEqual([fence, slots, tasks, route.slots, route.addresses], [0, [], [], [], []])
    }),
    unclaimed(
      'shows the token of a claim, and nothing that runs',
      async ({ runtime, target, context, until, look }) => {
        await runtime.claim(target, context(5))
        const seen = await until('the claim shows', ({ fence }) => fence === 5)
        assert.deepEqual([seen.slots, seen.tasks, seen.route.slots], [[], [], []])
        isPlainJson(seen, 'a snapshot')
        await runtime.claim(target, context(5))
        assert.equal((await look()).revision, seen.revision, 'the same claim again changes nothing')
      },
    ),
    unclaimed('refuses a claim with an older token, and keeps the newer one', async (bench) => {
      const { runtime, target, context, until, look } = bench
      await runtime.claim(target, context(7))
      await rejects(runtime.claim(target, context(6)), 'an older claim', { codes: ['FENCED'], effect: 'none' })
      assert.equal((await look()).fence, 7)
      await runtime.claim(target, context(8))
      await until('a newer claim shows', ({ fence }) => fence === 8)
    }),
    unclaimed('gives the target to the newest of many claims at once', async ({ runtime, target, context, look }) => {
      const tokens = [3, 8, 1, 6, 2, 7, 5, 4]
      const claims = await Promise.allSettled(tokens.map((token) => runtime.claim(target, context(token))))
      assert.equal(claims[1]?.status, 'fulfilled', 'the newest claim was refused')
      assert.equal((await look()).fence, 8)
    }),
    unclaimed('does not claim once its signal has fired', async ({ runtime, target, context, look }) => {
      await stops(runtime.claim(target, context(1, AbortSignal.abort())), 'claim')
      assert.equal((await look()).fence, 0)
    }),
    runtimeCase(options, 'stops observing when the signal fires', async (bench) => {
      const { runtime, target, context, clock, withinMs } = bench
      const stop = new AbortController()
      const read = async () => {
        for await (const _ of runtime.observe(target, context(1, stop.signal))) stop.abort()
      }
      await within(
        clock,
        withinMs,
        'it ends',
        read().catch(() => undefined),
      )
    }),
    runtimeCase(options, 'shows an observer what changes after it began', async (bench) => {
      const { runtime, target, context, until } = bench
      const seen = until('the newer claim shows', ({ fence }) => fence === 2)
      await until('the target shows', ({ fence }) => fence >= 1)
      await runtime.claim(target, context(2))
      assert.equal((await seen).fence, 2)
    }),
    ...(options.sharesPorts ? [unclaimed('says that a port is taken before it changes anything', portTaken)] : []),
  ]
}

async function portTaken({ runtime, target, context, look }: Bench): Promise<void> {
  const server = createServer().listen(0, '127.0.0.1')
  try {
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    const publish = { protocol: 'http', address: '127.0.0.1', port } as const
    const call = runtime.claim({ ...target, publish }, context())
    await rejects(call, 'a port that is taken', { codes: ['PORT_TAKEN'], effect: 'none' })
    assert.equal((await look()).fence, 0)
  } finally {
    server.close()
  }
}

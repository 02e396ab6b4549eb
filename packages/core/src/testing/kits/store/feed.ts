import assert from 'node:assert/strict'
import type { Store } from '../../../contracts/v1/store.js'
import { accept, begin, log, range, type StoreCase } from './case.js'

export const feedCases: readonly StoreCase[] = [
  {
    name: 'the feed tells the events of all runs in the order of their commits',
    async check(store) {
      assert.deepEqual(await store.feed(0, 10), [])
      const [a, b] = [await begin(store, 'a', { scope: 'a' }), await begin(store, 'b', { scope: 'b' })]
      await store.commit(b, { events: [log('1')] })
      await store.commit(a, { events: [log('2'), log('3')] })
      await store.commit(b, { events: [log('4')] })
      const events = (await store.feed(0, 10)).map(({ event }) => event)
      assert.deepEqual(
        events.map(({ runId, seq }) => `${runId}${seq}`),
        ['a1', 'b1', 'b2', 'a2', 'a3', 'b3'],
      )
      assert.deepEqual(events[3], (await store.read('a', 1))[0])
    },
  },
  {
    name: 'the feed goes on after any cursor, and misses nothing and doubles nothing while others write',
    async check(store) {
      const leases = await Promise.all(range(10).map((one) => begin(store, `run-${one}`, { scope: `${one}` })))
      const writing = Promise.all(
        leases.flatMap((lease) => range(20).map((one) => store.commit(lease, { events: [log(`${one}`), log('')] }))),
      )
      let written = false
      const done = writing.then(() => (written = true))
      const seen: string[] = []
      for (let cursor = 0, last = false; !last; ) {
        last = written
        const page = await readOn(store, cursor)
        cursor = page.cursor
        seen.push(...page.seen)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await done
      assert.deepEqual([seen.length, new Set(seen).size], [410, 410])
      const ofOne = seen.filter((one) => one.startsWith('run-3 ')).map((one) => Number(one.split(' ')[1]))
      assert.deepEqual(ofOne, range(41))
    },
  },
  {
    name: 'cursors are not used again when the newest events are forgotten',
    async check(store) {
      const lease = await begin(store, 'a')
      await store.commit(lease, { events: [log('x')], end: { status: 'succeeded', at: 2_000 } })
      const cursor = (await store.feed(0, 10)).at(-1)?.cursor ?? 0
      await store.forget('a')
      await accept(store, 'b')
      const after = await store.feed(cursor, 10)
      assert.deepEqual(
        after.map(({ event }) => event.runId),
        ['b'],
      )
      assert(Number(after[0]?.cursor) > cursor)
    },
  },
]

/** All pages after the cursor, in small ones. */
async function readOn(store: Store, after: number): Promise<{ cursor: number; seen: readonly string[] }> {
  const seen: string[] = []
  for (let cursor = after; ; ) {
    const page = await store.feed(cursor, 7)
    for (const { event } of page) seen.push(`${event.runId} ${event.seq}`)
    cursor = page.at(-1)?.cursor ?? cursor
    if (page.length < 7) return { cursor, seen }
  }
}

import assert from 'node:assert/strict'
import type { Store } from '../../../contracts/v1/store.js'
import type { StoreKitOptions } from './case.js'
import { accept, begin, log, range, rejectsWith, type StoreCase, scope, self, seqsOf, times } from './case.js'

type Reopen = NonNullable<StoreKitOptions['reopen']>

interface SharedCase {
  readonly name: string
  readonly check: (reopen: Reopen) => StoreCase['check']
}

/** Runs `check` with a second store on the same data. */
const withTwo =
  (check: (one: Store, other: Store) => Promise<void>) =>
  (reopen: Reopen) =>
  async (one: Store): Promise<void> => {
    const other = await reopen(one)
    try {
      await check(one, other)
    } finally {
      await other.close()
    }
  }

/** What holds between stores on the same data. */
export const sharedCases: readonly SharedCase[] = [
  {
    name: 'everything is there when the store is opened again',
    check: (reopen) => async (store) => {
      const lease = await begin(store, 'a')
      await store.commit(lease, { events: [log('x')], documents: [{ kind: 'k', key: 'x', value: 1 }] })
      await store.count('build/web')
      const all = async (of: Store) => [await of.runs({}), await of.read('a', 0), await of.documents.list('k', '')]
      const before = await all(store)
      await store.close()
      const again = await reopen(store)
      try {
        assert.deepEqual(await all(again), before)
        assert.deepEqual(
          [await again.count('build/web'), (await again.commit(lease, { events: [log('y')] })).seq],
          [2, 3],
        )
      } finally {
        await again.close()
      }
    },
  },
  {
    name: 'two stores on the same data number, count and deduplicate together',
    check: withTwo(async (one, other) => {
      const lease = await begin(one, 'a')
      const both = range(200).map((index) => (index % 2 ? one : other))
      await Promise.all(both.map((store, index) => store.commit(lease, { events: [log(`${index}`)] })))
      assert.deepEqual(seqsOf(await other.read('a', 0)), range(201))
      const numbers = await Promise.all(both.map((store) => store.count('build/web')))
      assert.deepEqual(
        numbers.toSorted((first, second) => first - second),
        range(200),
      )
      const taken = await Promise.all(both.map((store, index) => accept(store, `run-${index}`, { dedupe: 'x' })))
      assert.equal(taken.filter(({ accepted }) => accepted).length, 1)
      const once = both.map((store) => store.documents.put({ kind: 'k', key: 'x', value: 1, once: true }))
      assert.equal((await Promise.all(once)).filter((written) => written).length, 1)
    }),
  },
  {
    name: 'a lease taken over through one store is lost in the other',
    check: withTwo(async (one, other) => {
      const lease = await begin(one, 'a')
      assert.equal(await other.claim({ ...self, id: 'other' }, { ...times, scope }), undefined)
      assert.equal((await other.claim({ ...self, id: 'other' }, { ...times, nowMs: 99_000, scope }))?.token, 2)
      await rejectsWith('LEASE_LOST', one.commit(lease, { events: [log('late')] }))
    }),
  },
]

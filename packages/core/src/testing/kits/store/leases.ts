import assert from 'node:assert/strict'
import { accept, begin, log, range, rejectsWith, type StoreCase, scope, self, times } from './case.js'

const other = { ...self, id: 'other' }
const ended = { end: { status: 'succeeded', at: 2_000 } } as const
const never = 2 ** 22 + 1 // above the highest process id of Linux

export const leaseCases: readonly StoreCase[] = [
  {
    name: 'the runs of a scope are claimed one at a time, oldest first, each with a newer token',
    async check(store) {
      const first = await begin(store, 'a')
      await accept(store, 'b')
      assert.deepEqual(first, { runId: 'a', scope, token: 1, workerId: self.id })
      assert.equal(await store.claim(other, times), undefined)
      await store.commit(first, ended)
      assert.deepEqual(await store.claim(other, times), { runId: 'b', scope, token: 2, workerId: 'other' })
      assert.equal(await store.claim(other, times), undefined)
    },
  },
  {
    name: 'without a scope, the oldest run of the scopes that are free is claimed',
    async check(store) {
      await begin(store, 'a', { scope: 'one' })
      for (const [runId, where] of [
        ['b', 'one'],
        ['c', 'two'],
        ['d', 'three'],
        ['e', 'two'],
      ] as const)
        await accept(store, runId, { scope: where })
      const claims = [await store.claim(other, times), await store.claim(other, times), await store.claim(other, times)]
      assert.deepEqual(
        claims.map((lease) => lease?.runId),
        ['c', 'd', undefined],
      )
      const late = await store.claim(other, { ...times, nowMs: times.nowMs + times.ttlMs })
      assert.equal(late?.runId, 'a')
    },
  },
  {
    name: 'of many that claim at the same time each gets another run',
    async check(store) {
      await Promise.all(range(20).map((one) => accept(store, `run-${one}`, { scope: `scope-${one}` })))
      const claims = range(30).map((one) => store.claim({ ...self, id: `worker-${one}` }, times))
      const ids = (await Promise.all(claims)).flatMap((lease) => lease?.runId ?? [])
      assert.deepEqual([ids.length, new Set(ids).size], [20, 20])
    },
  },
  {
    name: 'a run is running, and begun once, from its first claim on',
    async check(store) {
      await store.giveBack(await begin(store, 'a'))
      await store.claim(other, { ...times, nowMs: 9_000 })
      const row = await store.run('a')
      assert.deepEqual([row?.status, row?.startedAt, row?.endedAt], ['running', 1_000, undefined])
    },
  },
  {
    name: 'a lease is over when its time is over, and renewed it lasts longer',
    async check(store) {
      const lease = await begin(store, 'a')
      assert.equal(await store.claim(other, { ...times, nowMs: 15_999 }), undefined)
      await store.renew(lease, { nowMs: 10_000, ttlMs: 15_000 })
      assert.equal(await store.claim(other, { ...times, nowMs: 24_999 }), undefined)
      assert.equal((await store.claim(other, { ...times, nowMs: 25_000 }))?.token, 2)
    },
  },
  {
    name: 'who lost the lease can commit, renew and give back nothing more',
    async check(store) {
      const old = await begin(store, 'a')
      const newer = await store.claim(other, { ...times, nowMs: 20_000 })
      assert(newer)
      const documents = [{ kind: 'release', key: 'x', value: 1 }]
      await rejectsWith('LEASE_LOST', store.commit(old, { events: [log('late')], documents, ...ended }))
      await rejectsWith('LEASE_LOST', store.renew(old, times))
      await store.giveBack(old)
      assert.equal((await store.commit(newer, { events: [log('mine')] })).seq, 2)
      assert.equal(await store.documents.get('release', 'x'), undefined)
      assert.equal((await store.run('a'))?.status, 'running')
    },
  },
  {
    name: 'who gave the lease back, or ended the run, can commit nothing more',
    async check(store) {
      const given = await begin(store, 'a')
      await store.giveBack(given)
      await rejectsWith('LEASE_LOST', store.commit(given, { events: [log('late')] }))
      const again = await store.claim(self, times)
      assert(again)
      await store.commit(again, ended)
      await rejectsWith('LEASE_LOST', store.commit(again, { events: [log('after the end')] }))
      await rejectsWith('LEASE_LOST', store.renew(again, times))
    },
  },
  ...(
    [
      ['whose process is gone', { pid: never, startedAt: '1' }],
      ['whose process id another process has by now', { startedAt: '1' }],
      ['of an earlier boot of this machine', { bootId: 'earlier' }],
    ] as const
  ).map(([owner, difference]) => ({
    name: `the lease of an owner ${owner} is taken over at once, asked for by scope or not`,
    async check(store: Parameters<StoreCase['check']>[0]) {
      await accept(store, 'a')
      await store.claim({ ...self, id: 'dead', ...difference }, times)
      assert.equal((await store.claim(self, { ...times, scope }))?.token, 2)
      await accept(store, 'b', { scope: 'b' })
      await store.claim({ ...self, id: 'dead', ...difference }, { ...times, scope: 'b' })
      assert.equal((await store.claim(self, times))?.runId, 'b')
    },
  })),
  ...(
    [
      ['another host', { host: 'far' }],
      ['another process id namespace', { pidNamespace: 'pid:[1]' }],
    ] as const
  ).map(([owner, difference]) => ({
    name: `the lease of an owner in ${owner} is waited for: nobody here knows whether it lives`,
    async check(store: Parameters<StoreCase['check']>[0]) {
      await accept(store, 'a')
      await store.claim({ ...self, id: 'far', pid: never, ...difference }, times)
      assert.equal(await store.claim(self, times), undefined)
      assert.equal(await store.claim(self, { ...times, scope }), undefined)
    },
  })),
]

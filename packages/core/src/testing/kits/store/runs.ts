import assert from 'node:assert/strict'
import type { Store } from '../../../contracts/v1/store.js'
import type { RunRequest } from '../../../model/run.js'
import { accept, begin, log, range, rejectsWith, request, type StoreCase, scope, typesOf } from './case.js'

const ended = { end: { status: 'succeeded', at: 2_000 } } as const
const idsOf = async (rows: ReturnType<Store['runs']>) => (await rows).map(({ runId }) => runId)

export const runCases: readonly StoreCase[] = [
  {
    name: 'a run is there, with what was asked, from when accept resolves',
    async check(store) {
      assert.deepEqual(await accept(store, 'a'), { runId: 'a', accepted: true })
      const row = { runId: 'a', scope, request: request(), status: 'accepted', acceptedAt: 500, lastSeq: 1 }
      assert.deepEqual({ ...(await store.run('a')) }, row)
      const event = { v: 1, runId: 'a', seq: 1, at: 500, type: 'run-accepted', request: request() }
      assert.deepEqual(await store.read('a', 0), [event])
      assert.equal(await store.run('b'), undefined)
    },
  },
  {
    name: 'a run with the dedupe key or the id of an earlier one is not taken, under any policy',
    async check(store) {
      await accept(store, 'a', { dedupe: 'x' })
      for (const policy of ['queue', 'supersede', 'reject'] as const)
        assert.deepEqual(await accept(store, 'b', { dedupe: 'x', policy }), { runId: 'a', accepted: false })
      assert.deepEqual(await accept(store, 'a'), { runId: 'a', accepted: false })
      assert.deepEqual(await idsOf(store.runs({})), ['a'])
      assert.deepEqual(typesOf(await store.read('a', 0)), ['run-accepted'])
    },
  },
  {
    name: 'one of many runs with the same dedupe key at the same time is taken',
    async check(store) {
      const answers = await Promise.all(range(20).map((one) => accept(store, `run-${one}`, { dedupe: 'x' })))
      assert.equal(answers.filter(({ accepted }) => accepted).length, 1)
      assert.equal(new Set(answers.map(({ runId }) => runId)).size, 1)
    },
  },
  {
    name: 'a run that queues is told who is before it, oldest first, and since when',
    async check(store) {
      await begin(store, 'a')
      await accept(store, 'b', { nowMs: 1_100, request: request({ by: 'bob' }) })
      await accept(store, 'c', { nowMs: 1_200 })
      const [, waiting] = await store.read('c', 0)
      assert(waiting?.type === 'run-waiting')
      assert.equal(waiting.for, 'turn')
      const behind = [
        { runId: 'a', by: 'ana', since: 1_000 },
        { runId: 'b', by: 'bob', since: 1_100 },
      ]
      assert.deepEqual(waiting.behind, behind)
    },
  },
  {
    name: 'a run waits for nobody in another scope, nor for one that has ended',
    async check(store) {
      await store.commit(await begin(store, 'a'), ended)
      await accept(store, 'b', { scope: 'web/staging' })
      await accept(store, 'c', { policy: 'reject' })
      for (const runId of ['b', 'c']) assert.deepEqual(typesOf(await store.read(runId, 0)), ['run-accepted'])
    },
  },
  {
    name: 'under reject, a run that would wait is refused with RUN_BUSY, naming the one before it, and nothing of it is kept',
    async check(store) {
      await begin(store, 'a')
      await rejectsWith('RUN_BUSY', accept(store, 'b', { policy: 'reject', dedupe: 'x' }))
      await assert.rejects(accept(store, 'b', { policy: 'reject' }), /run a of ana .*1970-01-01T00:00:01/)
      assert.deepEqual(await idsOf(store.runs({})), ['a'])
      assert.equal((await accept(store, 'b', { dedupe: 'x' })).accepted, true)
    },
  },
  {
    name: 'under supersede, runs that nobody has begun end, and the one that is under way is given the command',
    async check(store) {
      await begin(store, 'a')
      await accept(store, 'b')
      await accept(store, 'c', { policy: 'supersede', nowMs: 1_200, request: request({ by: 'bob' }) })
      assert.equal((await store.run('a'))?.status, 'running')
      assert.deepEqual(
        (await store.commands('a')).map(({ type, by }) => [type, by]),
        [['supersede', 'bob']],
      )
      assert.deepEqual(typesOf(await store.read('a', 1)), ['command'])
      assert.equal((await store.run('b'))?.status, 'cancelled')
      assert.deepEqual(typesOf(await store.read('b', 2)), ['command', 'run-ended'])
      const [, waiting] = await store.read('c', 0)
      assert.deepEqual(waiting?.type === 'run-waiting' && waiting.behind?.map(({ runId }) => runId), ['a'])
    },
  },
  {
    name: 'of runs that supersede each other at the same time, the last one is left',
    async check(store) {
      await Promise.all(range(20).map((one) => accept(store, `run-${one}`, { policy: 'supersede' })))
      assert.deepEqual(await idsOf(store.runs({ unfinished: true })), ['run-20'])
    },
  },
  {
    name: 'of runs that refuse to wait at the same time, one is taken',
    async check(store) {
      const all = range(20).map((one) => accept(store, `run-${one}`, { policy: 'reject' }))
      const answers = await Promise.allSettled(all)
      assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1)
      assert.equal((await store.runs({})).length, 1)
    },
  },
  {
    name: 'runs are found by service, environment, kind and whether they are unfinished',
    async check(store) {
      const { service, definition, by } = request()
      const build: RunRequest = { kind: 'build', service, definition, by, ref: 'main', push: true }
      await store.commit(await begin(store, 'a'), ended)
      await accept(store, 'b', { scope: 'web/staging', request: request({ environment: 'staging' }) })
      await accept(store, 'c', { scope: 'web/build', request: build })
      await accept(store, 'd', { scope: 'api/production', request: request({ service: 'api' }) })
      const expected: [Parameters<Store['runs']>[0], string][] = [
        [{}, 'abcd'],
        [{ service: 'web' }, 'abc'],
        [{ environment: 'production' }, 'ad'],
        [{ service: 'web', environment: 'production' }, 'a'],
        [{ kinds: ['build'] }, 'c'],
        [{ kinds: ['build', 'release'], service: 'api' }, 'd'],
        [{ kinds: [] }, ''],
        [{ unfinished: true }, 'bcd'],
        [{ service: 'web', unfinished: true }, 'bc'],
        [{ limit: 2 }, 'dc'],
        [{ service: 'web', limit: 2 }, 'cb'],
        [{ unfinished: true, limit: 10 }, 'dcb'],
      ]
      for (const [filter, ids] of expected)
        assert.equal((await idsOf(store.runs(filter))).join(''), ids, JSON.stringify(filter))
    },
  },
  {
    name: 'of a run that has ended its steps, events and commands can be forgotten; its row stays, and of others nothing is lost',
    async check(store) {
      const lease = await begin(store, 'a')
      await accept(store, 'b', { scope: 'other' })
      await store.command('a', { type: 'hold', by: 'ana' }, 1_100)
      await rejectsWith('RUN_BUSY', store.forget('a'))
      const steps = [{ runId: 'a', name: 'build', state: 'intended', since: 1 }] as const
      await store.commit(lease, { steps, events: [log('x')], ...ended })
      const row = await store.run('a')
      await store.forget('a')
      await store.forget('nothing')
      assert.deepEqual([await store.read('a', 0), await store.steps('a'), await store.commands('a')], [[], [], []])
      assert.deepEqual(await store.run('a'), row)
      assert.deepEqual(
        (await store.feed(0, 10)).map(({ event }) => event.runId),
        ['b'],
      )
    },
  },
]

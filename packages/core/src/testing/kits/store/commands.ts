import assert from 'node:assert/strict'
import { accept, begin, log, type StoreCase, self, times, typesOf } from './case.js'

const order = { by: 'bob', reason: 'not today' }

export const commandCases: readonly StoreCase[] = [
  {
    name: 'a command to a run that is under way is kept with its event, oldest first, and ends nothing',
    async check(store) {
      await begin(store, 'a')
      for (const type of ['hold', 'promote', 'cancel'] as const)
        assert.equal((await store.command('a', { type, ...order }, 2_000))?.status, 'running')
      assert.deepEqual(
        (await store.commands('a')).map(({ type }) => type),
        ['hold', 'promote', 'cancel'],
      )
      const [event] = await store.read('a', 1)
      const command = { type: 'hold', ...order }
      assert.deepEqual(event, { v: 1, runId: 'a', seq: 2, at: 2_000, type: 'command', command })
      assert.deepEqual(typesOf(await store.read('a', 2)), ['command', 'command'])
    },
  },
  ...(['cancel', 'revert', 'supersede'] as const).map((type) => ({
    name: `${type} ends a run that nobody has begun, and the next one may begin`,
    async check(store: Parameters<StoreCase['check']>[0]) {
      await accept(store, 'a')
      await accept(store, 'b')
      const row = await store.command('a', { type, ...order }, 2_000)
      assert.deepEqual([row?.status, row?.endedAt, row?.startedAt, row?.lastSeq], ['cancelled', 2_000, undefined, 3])
      const last = (await store.read('a', 2))[0]
      assert(last?.type === 'run-ended')
      assert.deepEqual([last.status, last.durationMs, last.error?.code], ['cancelled', 1_500, 'CANCELLED'])
      assert.match(last.error?.message ?? '', /by bob: not today/)
      assert.equal((await store.claim(self, times))?.runId, 'b')
    },
  })),
  {
    name: 'promote, hold and approve leave a run that nobody has begun waiting',
    async check(store) {
      await accept(store, 'a')
      for (const type of ['promote', 'hold', 'approve'] as const)
        assert.equal((await store.command('a', { type, ...order }, 2_000))?.status, 'accepted')
      assert.equal((await store.claim(self, times))?.runId, 'a')
      assert.equal((await store.commands('a')).length, 3)
    },
  },
  {
    name: 'a run that was begun and given back is not ended by a command: there may be something to go back from',
    async check(store) {
      await store.giveBack(await begin(store, 'a'))
      assert.equal((await store.command('a', { type: 'cancel', ...order }, 2_000))?.status, 'running')
      assert.equal((await store.claim(self, times))?.runId, 'a')
    },
  },
  {
    name: 'a run that has ended takes no command, and one that is not there answers nothing',
    async check(store) {
      const lease = await begin(store, 'a')
      await store.commit(lease, { events: [log('x')], end: { status: 'succeeded', at: 2_000 } })
      assert.equal((await store.command('a', { type: 'cancel', ...order }, 3_000))?.status, 'succeeded')
      assert.deepEqual([await store.commands('a'), (await store.run('a'))?.lastSeq], [[], 2])
      assert.equal(await store.command('nothing', { type: 'cancel', ...order }, 3_000), undefined)
      assert.deepEqual(await store.commands('nothing'), [])
    },
  },
  {
    name: 'a cancel and a claim at the same time: the run is ended, or claimed and told, never both',
    async check(store) {
      for (let round = 1; round <= 20; round += 1) {
        const runId = `run-${round}`
        await accept(store, runId, { scope: runId })
        const claim = () => store.claim(self, { ...times, scope: runId })
        const cancel = () => store.command(runId, { type: 'cancel', ...order }, 2_000)
        const [first, second] = round % 2 ? [claim(), cancel()] : [cancel(), claim()]
        await Promise.all([first, second])
        const claimed = (await (round % 2 ? first : second)) !== undefined
        assert.equal((await store.run(runId))?.status, claimed ? 'running' : 'cancelled')
        assert.equal((await store.commands(runId)).length, 1)
      }
    },
  },
]

import assert from 'node:assert/strict'
import { accept, begin, log, range, rejectsWith, type StoreCase, seqsOf } from './case.js'

const textsOf = (events: readonly { readonly type: string; readonly text?: string }[]) => events.map(({ text }) => text)

export const commitCases: readonly StoreCase[] = [
  {
    name: 'events are numbered without a gap, in the order of the commits, also when many commit at the same time',
    async check(store) {
      const lease = await begin(store, 'a')
      const sizes = range(60).map((one) => one % 4)
      const batches = sizes.map((size, index) => range(size).map((one) => log(`${index}.${one}`)))
      const seqs = await Promise.all(batches.map((events) => store.commit(lease, { events })))
      let total = 1
      assert.deepEqual(
        seqs.map(({ seq }) => seq),
        sizes.map((size) => (total += size)),
      )
      const events = await store.read('a', 1)
      assert.deepEqual(
        seqsOf(events),
        range(90).map((one) => one + 1),
      )
      assert.deepEqual(
        textsOf(events),
        batches.flat().map(({ body }) => body.type === 'log' && body.text),
      )
      assert.equal((await store.run('a'))?.lastSeq, 91)
    },
  },
  {
    name: 'an event comes back as it was given, with its run, number, time and stage',
    async check(store) {
      const lease = await begin(store, 'a')
      const { seq } = await store.commit(lease, {
        events: [
          { at: 7, body: { type: 'log', stream: 'err', text: 'é 😀 \u0000 \u2028 " \\ \ud800', step: 's' } },
          { at: 6, stage: 'deploy', body: { type: 'stage-started', stage: 'deploy', usualMs: undefined } },
        ],
      })
      assert.equal(seq, 3)
      const stamp = { v: 1, runId: 'a' }
      assert.deepEqual(await store.read('a', 1), [
        { ...stamp, seq: 2, at: 7, type: 'log', stream: 'err', text: 'é 😀 \u0000 \u2028 " \\ \ud800', step: 's' },
        { ...stamp, seq: 3, at: 6, type: 'stage-started', stage: 'deploy' },
      ])
    },
  },
  {
    name: 'events are read after a number and up to a limit, by default a thousand',
    async check(store) {
      const lease = await begin(store, 'a')
      await store.commit(lease, { events: range(1_500).map((one) => log(`${one}`)) })
      assert.deepEqual(seqsOf(await store.read('a', 1_000, 3)), [1_001, 1_002, 1_003])
      assert.equal((await store.read('a', 0)).length, 1_000)
      assert.equal((await store.read('a', 1_000)).length, 501)
      assert.deepEqual(await store.read('a', 1_501), [])
      assert.deepEqual(await store.read('nothing', 0), [])
    },
  },
  {
    name: 'a batch is written whole: events, steps, documents and the end',
    async check(store) {
      const lease = await begin(store, 'a')
      const { seq } = await store.commit(lease, {
        events: [log('x')],
        steps: [{ runId: 'a', name: 'push', state: 'done', since: 1, result: { digest: 'x' } }],
        documents: [{ kind: 'release', key: 'web/1', value: { number: 1 }, once: true }],
        end: { status: 'failed', at: 2_000 },
      })
      const row = await store.run('a')
      assert.deepEqual([seq, row?.lastSeq, row?.status, row?.endedAt], [2, 2, 'failed', 2_000])
      assert.equal((await store.steps('a')).length, 1)
      assert.deepEqual(await store.documents.get('release', 'web/1'), { number: 1 })
    },
  },
  {
    name: 'a batch that cannot be written leaves nothing of itself, and nothing of its neighbours is lost',
    async check(store) {
      const lease = await begin(store, 'a')
      const circle: { self?: unknown } = {}
      circle.self = circle
      const bad = {
        documents: [
          { kind: 'k', key: 'x', value: 1 },
          { kind: 'k', key: 'y', value: circle as never },
        ],
      }
      const results = await Promise.allSettled([
        store.commit(lease, { events: [log('before')] }),
        store.commit(lease, { ...bad, events: [log('never')] }),
        store.commit({ ...lease, token: 99 }, { events: [log('never')] }),
        store.commit(lease, { events: [log('after')] }),
      ])
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
      )
      assert.deepEqual(textsOf(await store.read('a', 1)), ['before', 'after'])
      assert.deepEqual(await store.documents.list('k', ''), [])
    },
  },
  {
    name: 'a step is replaced by its name and stays in its place',
    async check(store) {
      const lease = await begin(store, 'a')
      const step = (name: string, state: 'intended' | 'done') => ({ runId: 'a', name, state, since: 1 })
      await store.commit(lease, { steps: [step('source', 'intended')] })
      await store.commit(lease, { steps: [step('source', 'done'), step('analyse', 'intended')] })
      await store.commit(lease, { steps: [step('source', 'done')] })
      assert.deepEqual(await store.steps('a'), [step('source', 'done'), step('analyse', 'intended')])
      assert.deepEqual(await store.steps('nothing'), [])
    },
  },
  {
    name: 'what was given or answered can be changed without changing what is stored',
    async check(store) {
      const lease = await begin(store, 'a')
      const value = { tags: ['one'] }
      const writing = [
        store.commit(lease, { steps: [{ runId: 'a', name: 'push', state: 'done', since: 1, result: value }] }),
        store.documents.put({ kind: 'k', key: 'x', value }),
      ]
      value.tags.push('two')
      await Promise.all(writing)
      for (const answer of [await store.documents.get('k', 'x'), (await store.steps('a'))[0]?.result])
        (answer as typeof value).tags.push('three') // written above
      assert.deepEqual(await store.documents.get('k', 'x'), { tags: ['one'] })
      assert.deepEqual((await store.steps('a'))[0]?.result, { tags: ['one'] })
    },
  },
  {
    name: 'values of megabytes come back whole',
    async check(store) {
      const lease = await begin(store, 'a')
      const text = '0123456789 é 😀'.repeat(200_000)
      await store.commit(lease, { events: [log(text)], documents: [{ kind: 'k', key: 'x', value: text }] })
      assert.equal(textsOf(await store.read('a', 1))[0], text)
      assert.equal(await store.documents.get('k', 'x'), text)
    },
  },
  {
    name: 'a store that is closed refuses everything with STORE_FAILED, once what was asked before is written',
    async check(store) {
      const lease = await begin(store, 'a')
      const last = store.commit(lease, { events: [log('x')] })
      await store.close()
      assert.equal((await last).seq, 2)
      const calls = [
        () => accept(store, 'b'),
        () => store.commit(lease, { events: [log('x')] }),
        () => store.run('a'),
        () => store.feed(0, 1),
        () => store.count('x'),
        () => store.documents.put({ kind: 'k', key: 'x', value: 1 }),
        () => store.documents.list('k', ''),
      ]
      for (const call of calls) await rejectsWith('STORE_FAILED', call())
      await store.close()
    },
  },
]

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RunFilter, Store } from '../../contracts/v1/store.js'
import { begin, log, range } from '../../testing/kits/store/case.js'
import { endOf } from './documents.js'
import { sqliteStore } from './index.js'
import { oldestFreeRun } from './leases.js'
import { selection } from './runs.js'

let directory: string
let path: string
let store: Store
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-sqlite-'))
  path = join(directory, 'kiwi.sqlite')
  store = sqliteStore({ path })
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true })
})

describe('commits', () => {
  it('that wait at the same time share a transaction, also with one that is refused', async () => {
    const lease = await begin(store, 'a')
    const reader = new DatabaseSync(path, { readOnly: true })
    const changes = () => Number(reader.prepare('PRAGMA data_version').get()?.data_version)
    const before = changes()
    const results = await Promise.allSettled([
      ...range(100).map(() => store.commit(lease, { events: [log('x')] })),
      store.commit({ ...lease, token: 0 }, { events: [log('never')] }),
    ])
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1)
    expect(changes() - before).toBe(1)
    reader.close()
  })

  it('of thousands of events are spread over transactions, so that the first does not wait for the last', async () => {
    const lease = await begin(store, 'a')
    const done: number[] = []
    const all = range(30).map(async (one) => {
      await store.commit(lease, { events: range(100).map(() => log('x')) })
      done.push(one)
      return (await store.run('a'))?.lastSeq
    })
    expect(await all[0]).toBeLessThan(1_000)
    await Promise.all(all)
    expect(done).toEqual(range(30))
  })
})

describe('a query', () => {
  const planOf = (sql: string) => {
    const database = new DatabaseSync(path)
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all()
    database.close()
    return plan.map(({ detail }) => String(detail))
  }
  const filters: readonly RunFilter[] = [
    { service: 'web' },
    { service: 'web', limit: 1 },
    { service: 'web', kinds: ['build'], limit: 1 },
    { service: 'web', environment: 'production', limit: 1 },
    { environment: 'production' },
    { unfinished: true },
    { unfinished: true, limit: 1 },
    { service: 'web', unfinished: true },
  ]

  it.each(filters)('for runs of %o walks an index, in the order that is asked for', (filter) => {
    const plan = planOf(selection(filter).sql)
    expect(plan.filter((line) => /^SCAN runs(?! USING INDEX runs_unfinished)|TEMP B-TREE/.test(line))).toEqual([])
  })

  it('for the newest runs of all ends at its limit, unsorted', () => {
    expect(planOf(selection({ limit: 1 }).sql).join()).not.toContain('TEMP B-TREE')
  })

  it('for the oldest run to work on walks only the unfinished ones, from the oldest', () => {
    const plan = planOf(oldestFreeRun)
    expect(plan[0]).toBe('SCAN runs USING INDEX runs_unfinished')
    expect(plan.join()).not.toContain('TEMP B-TREE')
    const ofScope = planOf(
      "SELECT run_id FROM runs WHERE scope = ? AND status IN ('accepted', 'running') ORDER BY ordinal LIMIT 1",
    )
    expect(ofScope).toEqual(['SEARCH runs USING INDEX runs_open (scope=?)'])
  })
})

describe('the end of a prefix', () => {
  it.each([
    ['web/', 'web0'],
    ['a\ud7ff', 'a\ue000'],
    ['a\u{10ffff}', 'b'],
    ['\u{10ffff}', ''],
    ['', ''],
  ])('%j is before %j', (prefix, end) => {
    expect(endOf(prefix)).toBe(end)
  })
})

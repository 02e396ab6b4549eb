import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Store } from '../../contracts/v1/store.js'
import { thisWorker } from '../../journal/worker.js'
import type { RunRequest } from '../../model/run.js'
import { sqliteStore } from './index.js'

let directory: string
let store: Store

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-store-'))
  store = sqliteStore({ path: join(directory, 'kiwi.sqlite') })
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true })
})

const definition = { name: 'web', source: { git: '/r' }, image: { registry: 'r', repository: 'web' }, environments: {} }
const request: RunRequest = {
  kind: 'release',
  service: 'web',
  environment: 'production',
  ref: 'main',
  by: 'ana',
  definition,
}
const accept = (runId: string, dedupe?: string) =>
  store.accept({ runId, scope: 'web/production', request, dedupe, nowMs: 1 })
const times = { nowMs: 1_000, ttlMs: 15_000 }
const self = thisWorker()
const log = (text: string) => ({ at: 1, body: { type: 'log', stream: 'out', text } as const })

describe('runs', () => {
  it('are taken in once for a dedupe key', async () => {
    expect(await accept('a', 'x')).toEqual({ runId: 'a', accepted: true })
    expect(await accept('b', 'x')).toEqual({ runId: 'a', accepted: false })
    expect(await store.runs({})).toHaveLength(1)
  })

  it('of a scope are claimed one at a time, oldest first', async () => {
    await accept('a')
    await accept('b')
    const lease = await store.claim(self, times)
    expect(lease).toMatchObject({ runId: 'a', token: 1 })
    expect(await store.claim({ ...self, id: 'other' }, times)).toBeUndefined()
    if (lease) await store.commit(lease, { end: { status: 'succeeded', at: 2 } })
    expect(await store.claim(self, times)).toMatchObject({ runId: 'b', token: 2 })
  })
})

describe('a lease', () => {
  it('is taken over when its time is over, and the old owner can commit nothing more', async () => {
    await accept('a')
    const old = await store.claim(self, times)
    expect(await store.claim({ ...self, id: 'other' }, { ...times, nowMs: 15_999 })).toBeUndefined()
    const newer = await store.claim({ ...self, id: 'other' }, { ...times, nowMs: 16_000 })
    expect(newer?.token).toBe(2)
    if (!old || !newer) throw new Error('there was no lease')
    await expect(store.commit(old, { events: [log('late')] })).rejects.toMatchObject({ code: 'LEASE_LOST' })
    await expect(store.renew(old, times)).rejects.toMatchObject({ code: 'LEASE_LOST' })
    expect((await store.read('a', 1)).length).toBe(0)
  })

  it.each([
    ['whose process is gone', { pid: 2 ** 22 + 1, startedAt: '1' }],
    ['whose pid another process has by now', { startedAt: '1' }],
    ['of an earlier boot of this machine', { bootId: 'earlier' }],
  ])('%s is taken over at once', async (_, difference) => {
    await accept('a')
    await store.claim({ ...self, id: 'dead', ...difference }, times)
    expect(await store.claim(self, times)).toMatchObject({ token: 2 })
  })

  it('of another pid namespace is waited for: its process ids say nothing here', async () => {
    await accept('a')
    await store.claim({ ...self, id: 'boxed', pidNamespace: 'pid:[1]', pid: 2 ** 22 + 1 }, times)
    expect(await store.claim(self, times)).toBeUndefined()
  })

  it('of another host is waited for', async () => {
    await accept('a')
    await store.claim({ ...self, id: 'far', host: 'far', pid: 2 ** 22 + 1 }, times)
    expect(await store.claim(self, times)).toBeUndefined()
  })
})

describe('a commit', () => {
  it('numbers events without a gap, in the order of the calls', async () => {
    await accept('a')
    const lease = await store.claim(self, times)
    if (!lease) throw new Error('there was no lease')
    const seqs = await Promise.all(
      Array.from({ length: 50 }, (_, index) => store.commit(lease, { events: [log(`${index}`)] })),
    )
    expect(seqs.map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, index) => index + 2))
    const texts = (await store.read('a', 1)).map((event) => event.type === 'log' && event.text)
    expect(texts).toEqual(Array.from({ length: 50 }, (_, index) => `${index}`))
  })

  it('that waits with others shares their transaction, and one that fails is undone alone', async () => {
    await accept('a')
    const lease = await store.claim(self, times)
    if (!lease) throw new Error('there was no lease')
    const reader = new DatabaseSync(join(directory, 'kiwi.sqlite'), { readOnly: true })
    const changes = () => Number(reader.prepare('PRAGMA data_version').get()?.data_version)
    const before = changes()
    const stale = { ...lease, token: 0 }
    const results = await Promise.allSettled([
      ...Array.from({ length: 100 }, () => store.commit(lease, { events: [log('x')] })),
      store.commit(stale, { events: [log('never')] }),
    ])
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1)
    expect((await store.read('a', 1)).length).toBe(100)
    expect(changes() - before).toBe(1)
    reader.close()
  })
})

describe('the file', () => {
  it('of a newer version is refused', async () => {
    await store.close()
    const database = new DatabaseSync(join(directory, 'kiwi.sqlite'))
    database.exec("UPDATE meta SET value = '99' WHERE key = 'schema'")
    database.close()
    expect(() => sqliteStore({ path: join(directory, 'kiwi.sqlite') })).toThrow(
      expect.objectContaining({ code: 'STORE_FAILED' }),
    )
  })

  it('that is no database is refused by name', () => {
    expect(() => sqliteStore({ path: directory })).toThrow(
      expect.objectContaining({ code: 'STORE_FAILED', message: expect.stringContaining(directory) }),
    )
  })
})

describe('documents', () => {
  it('written once stay as they are', async () => {
    await store.documents.put({ kind: 'release', key: 'web/1', value: 'first', once: true })
    await store.documents.put({ kind: 'release', key: 'web/1', value: 'second', once: true })
    expect(await store.documents.list('release', 'web/')).toEqual([{ key: 'web/1', value: 'first' }])
  })
})

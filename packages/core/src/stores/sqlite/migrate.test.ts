import { once } from 'node:events'
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { sqliteStore } from './index.js'
import { openDatabase } from './open.js'
import { startChild } from './test-child.js'
import { writeVersion1 } from './test-version-1.js'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-migrate-'))
  path = join(directory, 'kiwi.sqlite')
})
afterEach(() => rmSync(directory, { recursive: true }))

const ask = (sql: string, file = path) => {
  const database = new DatabaseSync(file)
  try {
    return database.prepare(sql).get()
  } finally {
    database.close()
  }
}

/** The file as a process that is killed before each of its statements leaves it behind, up to the last one. */
function imagesOfOpening(): readonly string[] {
  const images: string[] = []
  const { exec } = DatabaseSync.prototype
  const spy = vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql) {
    const image = join(directory, `image-${images.length}.sqlite`)
    for (const suffix of ['', '-wal']) if (existsSync(path + suffix)) copyFileSync(path + suffix, image + suffix)
    images.push(image)
    return exec.call(this, sql)
  })
  const database = openDatabase(path)
  spy.mockRestore()
  database.close()
  return images
}

/** The version of the file and the number of its events, which must be sound. */
async function lookInto(file: string): Promise<{ version: string; events: number }> {
  expect(ask('PRAGMA integrity_check', file)).toEqual({ integrity_check: 'ok' })
  const version = String(ask("SELECT value FROM meta WHERE key = 'schema'", file)?.value)
  const store = sqliteStore({ path: file })
  const events = (await store.feed(0, 10_000)).length
  await store.close()
  return { version, events }
}

describe('a file of version 1', () => {
  it('is brought to today’s tables, with everything in it', async () => {
    writeVersion1(path)
    const store = sqliteStore({ path })
    const rows = await store.runs({})
    expect(
      rows.map(({ runId, status, startedAt, endedAt, lastSeq }) => [runId, status, startedAt, endedAt, lastSeq]),
    ).toEqual([
      ['a', 'succeeded', 1_002, 1_009, 4],
      ['b', 'running', 1_004, undefined, 3],
      ['c', 'accepted', undefined, undefined, 1],
    ])
    expect(rows[0]?.request).toMatchObject({ kind: 'release', service: 'web', environment: 'production', ref: 'main' })
    expect((await store.runs({ environment: 'staging' })).map(({ runId }) => runId)).toEqual(['b', 'c'])
    expect(await store.read('a', 2)).toEqual([
      { v: 1, runId: 'a', seq: 3, at: 1_001, stage: 'build', type: 'log', stream: 'out', text: 'é' },
      expect.objectContaining({ seq: 4, type: 'run-ended', status: 'succeeded' }),
    ])
    expect((await store.steps('a')).map(({ name }) => name)).toEqual(['source', 'analyse'])
    expect(await store.commands('b')).toEqual([{ type: 'hold', by: 'bob' }])
    expect(await store.documents.list('release', '')).toEqual([{ key: 'web/1', value: { number: 1 } }])
    await store.close()
  })

  it('has a feed in the order of the times, in which each run keeps its own order', async () => {
    writeVersion1(path)
    const store = sqliteStore({ path })
    const feed = await store.feed(0, 100)
    expect(feed.map(({ event }) => `${event.runId}${event.seq}`)).toEqual([
      'a1',
      'a2',
      'a3',
      'b1',
      'b2',
      'b3',
      'c1',
      'a4',
    ])
    await store.close()
  })

  it('keeps its leases: a run that was under way goes on under the token it has', async () => {
    writeVersion1(path)
    const store = sqliteStore({ path })
    const lease = { runId: 'b', scope: 'web/staging', token: 3, workerId: 'w' }
    expect((await store.commit(lease, { end: { status: 'failed', at: 2_000 } })).seq).toBe(3)
    const taken = await store.accept({
      runId: 'd',
      scope: 'x',
      request: (await store.runs({}))[0]?.request as never,
      dedupe: 'once',
      nowMs: 1,
    })
    expect(taken).toEqual({ runId: 'a', accepted: false })
    await store.close()
  })

  it('is whole, of one version or the other, wherever the process that changes it is killed', async () => {
    writeVersion1(path, 500)
    const images = imagesOfOpening()
    expect(images.length).toBeGreaterThan(12)
    const found = []
    for (const image of images) found.push(await lookInto(image))
    expect(found.slice(0, -1)).toEqual(images.slice(1).map(() => ({ version: '1', events: 507 })))
    expect(found.at(-1)).toEqual({ version: '2', events: 507 }) // the last statement comes after the commit
  })

  it('is whole when the process is killed right before the commit', async () => {
    writeVersion1(path, 500)
    const child = startChild(
      `const { DatabaseSync } = await import('node:sqlite')
      const { exec } = DatabaseSync.prototype
      DatabaseSync.prototype.exec = function (sql) {
        if (sql === 'COMMIT') process.kill(process.pid, 'SIGKILL')
        return exec.call(this, sql)
      }
      sqliteStore({ path: process.env.FILE })`,
      { env: { FILE: path } },
    )
    expect((await once(child, 'exit'))[1]).toBe('SIGKILL')
    expect(await lookInto(path)).toEqual({ version: '1', events: 507 })
  })
})

describe('a file', () => {
  it('of a newer version is refused, saying which', async () => {
    await sqliteStore({ path }).close()
    ask("UPDATE meta SET value = '99' WHERE key = 'schema' RETURNING value")
    const refusal = { code: 'STORE_FAILED', message: expect.stringContaining('schema 99') }
    expect(() => sqliteStore({ path })).toThrow(expect.objectContaining(refusal))
    expect(ask("SELECT value FROM meta WHERE key = 'schema'")).toEqual({ value: '99' })
  })

  it('of another program is refused, and left as it is', () => {
    ask('CREATE TABLE theirs (x)')
    expect(() => sqliteStore({ path })).toThrow(expect.objectContaining({ code: 'STORE_FAILED' }))
    expect(ask('SELECT count(*) AS tables FROM sqlite_schema')).toEqual({ tables: 1 })
  })

  it('that is new is made once when many processes open it at the same time', async () => {
    const stores = Array.from({ length: 5 }, () => sqliteStore({ path }))
    expect(await Promise.all(stores.map((store) => store.count('x')))).toEqual([1, 2, 3, 4, 5])
    await Promise.all(stores.map((store) => store.close()))
  })
})

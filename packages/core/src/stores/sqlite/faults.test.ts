import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Lease, Store } from '../../contracts/v1/store.js'
import { accept, begin, log, range, seqsOf } from '../../testing/kits/store/case.js'
import { sqliteStore } from './index.js'
import { openDatabase } from './open.js'
import { storeOn } from './store-on.js'
import { startChild } from './test-child.js'

const ownMounts = ['unshare', '--mount', '--map-root-user']
const canMount = spawnSync('unshare', [...ownMounts.slice(1), 'true']).status === 0
if (!canMount) console.warn('the full disk of the kernel is not tried here: this machine gives no mounts of our own')

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-faults-'))
  path = join(directory, 'kiwi.sqlite')
})
afterEach(() => {
  chmodSync(directory, 0o700)
  rmSync(directory, { recursive: true })
})

const big = 'x'.repeat(100_000)

describe('a file that another process has locked', () => {
  it('is waited for, and the host’s event loop goes on', async () => {
    const store = sqliteStore({ path })
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    const accepted = accept(store, 'a')
    let turns = 0
    for (; turns < 3; turns += 1) await new Promise((resolve) => setTimeout(resolve, 1))
    expect(await store.runs({})).toEqual([])
    other.exec('COMMIT')
    other.close()
    expect(await accepted).toEqual({ runId: 'a', accepted: true })
    await store.close()
  })

  it('for long is told of as such, nothing is changed, and the same call succeeds later', async () => {
    const database = openDatabase(path)
    database.exec('PRAGMA busy_timeout = 5')
    const store = storeOn(database, path)
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    const refused = await Promise.allSettled([accept(store, 'a'), accept(store, 'b')])
    for (const one of refused)
      expect(one).toMatchObject({
        reason: { code: 'STORE_FAILED', retryable: true, effect: 'none', message: expect.stringContaining('locked') },
      })
    other.close()
    expect(await accept(store, 'a')).toMatchObject({ accepted: true })
    await store.close()
  })
})

describe('several processes', () => {
  it('write to one file at the same time: no number twice, none missing, no call refused', async () => {
    const store = sqliteStore({ path })
    const lease = await begin(store, 'a')
    const child = startChild(
      `const store = sqliteStore({ path: process.env.FILE })
      const lease = JSON.parse(process.env.LEASE)
      const events = [{ at: 1, body: { type: 'log', stream: 'out', text: 'theirs' } }]
      const numbers = []
      for (let one = 0; one < 200; one += 1) {
        await store.commit(lease, { events })
        numbers.push(await store.count('x'))
      }
      console.log(JSON.stringify(numbers))`,
      { env: { FILE: path, LEASE: JSON.stringify(lease) } },
    )
    let theirs: readonly number[] | undefined
    void once(createInterface(child.stdout), 'line').then(([line]) => (theirs = JSON.parse(String(line))))
    void once(child, 'close').then(() => (theirs ??= [])) // should it fail, the count below tells
    const ours: number[] = []
    while (!theirs) {
      await store.commit(lease, { events: [log('ours')] })
      ours.push(await store.count('x'))
    }
    const all = [...ours, ...theirs].toSorted((one, other) => one - other)
    expect(all).toEqual(range(ours.length + 200))
    expect(seqsOf(await store.read('a', 0, 1_000_000))).toEqual(range(ours.length + 201))
    await store.close()
  })
})

describe('a disk that is full', () => {
  it('refuses what does not fit with DISK_FULL, keeps what is asked beside it, and works again when there is space', async () => {
    const database = openDatabase(path)
    const pages = Number(database.prepare('PRAGMA page_count').get()?.page_count)
    const store = storeOn(database, path)
    const lease = await begin(store, 'a')
    database.exec(`PRAGMA max_page_count = ${pages + 20}`)
    const results = await Promise.allSettled([
      store.commit(lease, { events: [log('before')] }),
      store.commit(lease, { events: [log(big)], end: { status: 'succeeded', at: 1 } }),
      store.commit(lease, { events: [log('after')] }),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(results[1]).toMatchObject({ reason: { code: 'DISK_FULL', effect: 'none' } })
    database.exec('PRAGMA max_page_count = 100000')
    expect((await store.commit(lease, { events: [log(big)] })).seq).toBe(4)
    expect(seqsOf(await store.read('a', 0))).toEqual([1, 2, 3, 4])
    expect((await store.run('a'))?.status).toBe('running')
    await store.close()
  })

  it.skipIf(!canMount)('of the kernel is told of as DISK_FULL, and what was promised is there', async () => {
    const child = startChild(
      `const { spawnSync } = await import('node:child_process')
      const { rmSync, writeFileSync } = await import('node:fs')
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', process.env.FOLDER]).status !== 0) throw new Error('no mount')
      const path = process.env.FOLDER + '/kiwi.sqlite'
      writeFileSync(process.env.FOLDER + '/other', Buffer.alloc(200_000))
      const store = sqliteStore({ path })
      let [written, code] = [0, undefined]
      while (code === undefined)
        await store.documents.put({ kind: 'k', key: String(written), value: 'x'.repeat(20_000) }).then(
          () => (written += 1), (error) => (code = error.code))
      rmSync(process.env.FOLDER + '/other')
      const again = await store.documents.put({ kind: 'k', key: 'again', value: 1 })
      const kept = (await store.documents.list('k', '')).length
      await store.close()
      console.log(JSON.stringify({ code, again, lost: written + 1 - kept, some: written > 5 }))`,
      { before: [...ownMounts], env: { FOLDER: directory } },
    )
    const [line] = await once(createInterface(child.stdout), 'line')
    expect(JSON.parse(String(line))).toEqual({ code: 'DISK_FULL', again: true, lost: 0, some: true })
  })
})

describe('a file that cannot be used', () => {
  it('because there is no right to its folder is refused by name', async () => {
    await sqliteStore({ path }).close()
    const child = startChild(
      `try { sqliteStore({ path: process.env.FILE }) } catch (error) { console.log(JSON.stringify([error.code, error.message])) }`,
      { env: { FILE: path }, before: process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--clear-groups'] : [] },
    )
    chmodSync(path, 0o400)
    chmodSync(directory, 0o500)
    const [line] = await once(createInterface(child.stdout), 'line')
    expect(JSON.parse(String(line))).toEqual(['STORE_FAILED', expect.stringContaining(path)])
  })

  it('because it is a folder, or no database, is refused by name', () => {
    mkdirSync(path)
    const refusal = { code: 'STORE_FAILED', message: expect.stringContaining(path) }
    expect(() => sqliteStore({ path })).toThrow(expect.objectContaining(refusal))
    const text = join(directory, 'text')
    writeFileSync(text, 'no database at all, but long enough to have a header'.repeat(100))
    expect(() => sqliteStore({ path: text })).toThrow(expect.objectContaining({ code: 'STORE_FAILED' }))
    expect(readFileSync(text, 'utf8')).toMatch(/^no database/)
  })

  it('because it is damaged is told of as STORE_FAILED by the first call that meets the damage', async () => {
    const store = sqliteStore({ path })
    for (let one = 0; one < 50; one += 1)
      await store.documents.put({ kind: 'k', key: `${one}`, value: 'x'.repeat(10_000) })
    await store.close()
    const size = statSync(path).size
    truncateSync(path, size - 100 * 4096)
    await expect(readAll(path)).rejects.toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining(path) })
  })
})

async function readAll(file: string): Promise<void> {
  const store = sqliteStore({ path: file })
  try {
    await store.documents.list('k', '')
  } finally {
    await store.close()
  }
}

/** Each takes a process that starts; the figure for a longer run comes from outside. */
const kills = Number(process.env.KIWI_STORE_KILLS ?? 5)

describe('a process that is killed while it commits', () => {
  it('loses nothing it was promised, and leaves no half of a batch', { timeout: 60_000 }, async () => {
    const first = sqliteStore({ path })
    const names = range(4).map((one) => `run-${one}`)
    const leases: Lease[] = []
    for (const name of names) leases.push(await begin(first, name, { scope: name }))
    await first.close()
    let promised: Record<string, number> = {}
    for (let kill = 0; kill < kills; kill += 1)
      promised = { ...promised, ...(await commitUntilKilled(leases, 20 + kill * 7)) }
    const store = sqliteStore({ path })
    for (const name of names) await wasKept(store, name, promised[name] ?? 0)
    await store.close()
    const database = new DatabaseSync(path)
    expect(database.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    database.close()
  })
})

/** Commits three events and a document at a time, on all leases at once, until it is killed; answers the last number promised of each run. */
async function commitUntilKilled(leases: readonly Lease[], killAfterAnswers: number): Promise<Record<string, number>> {
  const child = startChild(
    `const store = sqliteStore({ path: process.env.FILE })
    const { writeSync } = await import('node:fs')
    for (const lease of JSON.parse(process.env.LEASES)) void (async () => {
      for (;;) {
        const event = { at: 1, body: { type: 'log', stream: 'out', text: 'x'.repeat(Math.random() * 5000) } }
        const before = await store.run(lease.runId)
        const value = before.lastSeq + 3
        const { seq } = await store.commit(lease, { events: [event, event, event], documents: [{ kind: 'k', key: lease.runId, value }] })
        writeSync(1, lease.runId + ' ' + seq + '\\n')
      }
    })()`,
    { env: { FILE: path, LEASES: JSON.stringify(leases) } },
  )
  const promised: Record<string, number> = {}
  let answers = 0
  for await (const line of createInterface(child.stdout)) {
    const [name = '', seq] = line.split(' ')
    promised[name] = Number(seq)
    answers += 1
    if (answers === killAfterAnswers) child.kill('SIGKILL')
  }
  expect(answers).toBeGreaterThanOrEqual(killAfterAnswers)
  return promised
}

async function wasKept(store: Store, name: string, promised: number): Promise<void> {
  const seqs = seqsOf(await store.read(name, 0, 1_000_000))
  expect(seqs).toEqual(range(seqs.length))
  expect(seqs.length).toBeGreaterThanOrEqual(promised)
  expect(seqs.length % 3).toBe(1)
  expect(await store.documents.get('k', name)).toBe(seqs.length)
}

import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { groupCommit } from './group-commit.js'
import { storeError } from './store-error.js'

let database: DatabaseSync
let syncs: { resolve(): void; reject(error: Error): void }[]
beforeEach(() => {
  database = new DatabaseSync(':memory:')
  database.exec('CREATE TABLE one (value INTEGER UNIQUE)')
  syncs = []
})
afterEach(() => database.close())

const start = () =>
  groupCommit({
    database,
    sync: () => new Promise((resolve, reject) => syncs.push({ resolve, reject })),
    toError: (error, effect) => storeError('/x', error, effect),
  })
const insert = (value: number) => () => void database.prepare('INSERT INTO one VALUES (?)').run(value)
const count = () => database.prepare('SELECT count(*) AS rows FROM one').get()?.rows
const turns = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe('a group of writes', () => {
  it('is done when it is on the disk, not before, and what is asked meanwhile goes into the next', async () => {
    const group = start()
    const done: number[] = []
    for (const value of [1, 2]) void group.run(insert(value)).then(() => done.push(value))
    await turns()
    void group.run(insert(3)).then(() => done.push(3))
    await turns()
    expect([done, syncs.length, count()]).toEqual([[], 1, 2])
    syncs[0]?.resolve()
    await turns()
    expect([done, syncs.length, count()]).toEqual([[1, 2], 2, 3])
    syncs[1]?.resolve()
    await group.drained()
    expect(done).toEqual([1, 2, 3])
  })

  it('of which one fails half-way leaves nothing of that one, and all of the others', async () => {
    const group = start()
    const half = () => {
      insert(2)()
      insert(1)()
    }
    const all = Promise.allSettled([group.run(insert(1)), group.run(half), group.run(insert(3))])
    for (let one = 0; one < 2; one += 1) {
      await turns()
      syncs[one]?.resolve()
    }
    expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(
      database
        .prepare('SELECT value FROM one')
        .all()
        .map(({ value }) => value),
    ).toEqual([1, 3])
  })

  it('that did not reach the disk is told of as of unknown effect, and after that nothing is promised any more', async () => {
    const group = start()
    const first = group.run(insert(1)).catch((error: unknown) => error)
    await turns()
    const second = group.run(insert(2)).catch((error: unknown) => error)
    syncs[0]?.reject(new Error('EIO: i/o error, fdatasync'))
    const broken = { code: 'STORE_FAILED', effect: 'unknown', message: expect.stringContaining('EIO') }
    expect(await first).toMatchObject(broken)
    expect(await second).toMatchObject(broken)
    await expect(group.run(insert(3))).rejects.toMatchObject(broken)
    expect(count()).toBe(1)
  })
})

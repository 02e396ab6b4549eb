import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sqliteStore } from '@kiwi/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runChild } from './child.js'
import { asked, createPlatform, type Platform, refusalOf } from './platform.js'

const ownMounts = ['unshare', '--mount', '--map-root-user']
const canMount = spawnSync('unshare', [...ownMounts.slice(1), 'true']).status === 0
if (!canMount) console.warn('a full disk is not tried here: this machine gives no mounts of our own')

let platform: Platform
beforeEach(() => {
  platform = createPlatform()
  platform.commit({ Dockerfile: 'FROM scratch\n' })
})
afterEach(async () => platform[Symbol.asyncDispose]())

describe('a store', () => {
  it('that another process keeps locked refuses what would be written, can be read, and takes it later', async () => {
    const kiwi = await platform.open()
    await kiwi.services.register(platform.definition())
    const first = await (await kiwi.build('web', { ref: 'main', by: 'ana' })).result
    const other = new DatabaseSync(platform.storePath)
    other.exec('BEGIN IMMEDIATE')
    const refusal = await refusalOf(kiwi.build('web', { ref: 'main', by: 'ana', requestId: 'one' }))
    expect(refusal).toMatchObject({
      code: 'STORE_FAILED',
      effect: 'none',
      retryable: true,
      message: expect.stringContaining('locked by another process'),
    })
    expect(await kiwi.builds('web')).toEqual([first])
    other.exec('ROLLBACK')
    other.close()
    const run = await kiwi.build('web', { ref: 'main', by: 'ana', requestId: 'one' })
    expect(await run.result).toMatchObject({ number: 2, status: 'succeeded' })
    expect(await kiwi.runs({})).toHaveLength(2)
  })

  it('of a newer version is not opened, and not touched', async () => {
    const kiwi = await platform.open()
    await kiwi.services.register(platform.definition())
    await kiwi.close()
    const file = new DatabaseSync(platform.storePath)
    const versions = file.prepare("SELECT value FROM meta WHERE key = 'schema'")
    const current = Number(versions.get()?.value)
    file.prepare("UPDATE meta SET value = ? WHERE key = 'schema'").run(String(current + 1))
    expect(() => sqliteStore({ path: platform.storePath })).toThrow(
      expect.objectContaining({
        code: 'STORE_FAILED',
        effect: 'none',
        message: expect.stringMatching(new RegExp(`schema ${current + 1}.* up to ${current}`)),
      }),
    )
    expect(Number(versions.get()?.value)).toBe(current + 1)
    file.prepare("UPDATE meta SET value = ? WHERE key = 'schema'").run(String(current))
    file.close()
    const again = await platform.open()
    expect((await again.services.list()).map(({ name }) => name)).toEqual(['web'])
  })

  it.skipIf(!canMount)(
    'on a full disk refuses with DISK_FULL, keeps what was promised, and goes on when there is space',
    async () => {
      const folder = join(platform.directory, 'small')
      mkdirSync(folder)
      const { said, errors } = await runChild(
        `const { spawnSync } = await import('node:child_process')
      const { rmSync, writeFileSync } = await import('node:fs')
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', process.env.FOLDER]).status !== 0) throw new Error('no mount')
      const path = process.env.FOLDER + '/kiwi.sqlite'
      let store = sqliteStore({ path })
      let kiwi = await createKiwi({ ...adapters, store })
      await kiwi.services.register(JSON.parse(process.env.DEFINITION))
      writeFileSync(process.env.FOLDER + '/other', Buffer.alloc(1_200_000))
      const codes = new Set()
      const runs = []
      const good = []
      const reason = 'because '.repeat(1_200)
      for (let at = 0; at < 100 && codes.size === 0; at += 1)
        await kiwi.build('web', { ref: 'main', by: 'ana', reason }).then(
          (run) => (runs.push(run.id), run.result.then((build) => good.push(build.number), ({ code }) => codes.add(code))),
          ({ code }) => codes.add(code))
      await kiwi.close()
      await store.close()
      rmSync(process.env.FOLDER + '/other')
      store = sqliteStore({ path })
      kiwi = await createKiwi({ ...adapters, store })
      await Promise.all((await kiwi.resume()).map((run) => run.result.catch(() => undefined)))
      const known = new Map((await kiwi.runs({})).map(({ runId, status }) => [runId, status]))
      const built = (await kiwi.builds('web')).filter(({ status }) => status === 'succeeded').map(({ number }) => number)
      await (await kiwi.build('web', { ref: 'main', by: 'ana' })).result
      console.log(JSON.stringify({
        codes: [...codes],
        lostRuns: runs.filter((id) => !known.has(id)).length,
        lostBuilds: good.filter((number) => !built.includes(number)).length,
        open: [...known.values()].filter((status) => status === 'running' || status === 'accepted').length,
        some: good.length > 0,
      }))
      await kiwi.close()
      await store.close()`,
        {
          before: ownMounts,
          env: {
            FOLDER: folder,
            STATE: join(platform.directory, 'state'),
            DEFINITION: JSON.stringify(platform.definition()),
          },
        },
      )
      expect(said, errors).toEqual({ codes: ['DISK_FULL'], lostRuns: 0, lostBuilds: 0, open: 0, some: true })
    },
  )
})

describe('a process that is killed halfway', () => {
  it.each(['push: effect done', 'deploy: intent committed'])(
    '(%s) leaves a run that another one ends, and loses nothing',
    async (point) => {
      const { said, signal, errors } = await runChild(
        `const kiwi = await createKiwi({ ...adapters, store: sqliteStore({ path: process.env.STORE }),
          onKillPoint: ({ name }) => { if (armed && name === process.env.POINT) process.kill(process.pid, 'SIGKILL') } })
        var armed = false
        await kiwi.services.register(JSON.parse(process.env.DEFINITION))
        const first = await (await kiwi.build('web', { ref: 'main', by: 'ana' })).result
        armed = true
        const run = await kiwi.release('web', { ref: 'main', environment: 'production', by: 'ana' })
        console.log(JSON.stringify({ runId: run.id, digest: first.digest }))
        await run.result`,
        {
          env: {
            STORE: platform.storePath,
            STATE: join(platform.directory, 'state'),
            POINT: point,
            DEFINITION: JSON.stringify(platform.definition()),
          },
        },
      )
      expect(signal, errors).toBe('SIGKILL')
      const { runId, digest } = said as { runId: string; digest: string } // what the child printed
      const kiwi = await platform.open()
      expect((await kiwi.builds('web')).find(({ number }) => number === 1)).toMatchObject({
        status: 'succeeded',
        digest,
      })
      const runs = await kiwi.resume()
      expect(runs.map(({ id }) => id)).toEqual([runId])
      expect(await runs[0]?.result).toMatchObject({ number: 1, status: 'succeeded', deployer: asked.by })
      expect((await kiwi.builds('web')).map(({ number }) => number)).toEqual([2, 1])
      expect(await kiwi.history('web', asked.environment)).toHaveLength(1)
    },
  )
})

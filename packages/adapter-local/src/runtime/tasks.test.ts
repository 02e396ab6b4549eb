import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { secret } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { describe, expect, it } from 'vitest'
import { readWhereabouts } from '../supervisor/whereabouts.js'
import {
  answering,
  ensure,
  isOver,
  isReady,
  look,
  newDirectory,
  order,
  putNodeImage,
  spec,
  startRuntime,
  task,
  until,
  web,
} from './testing.js'

const context = testContext()
const place = (directory: string) => join(directory, 'environments/web/production')

async function claimedRuntime() {
  const directory = newDirectory()
  const runtime = await startRuntime({ isolation: 'none', directory })
  await runtime.claim(web, context)
  const digest = await putNodeImage(runtime, answering('a'))
  const run = (name: string, program: string, more = {}) =>
    order(runtime, task(name, digest, ['node', '--input-type=module', '-e', program], more), {
      context: testContext({ secrets: { DATABASE: 'hunter2-very-secret' } }),
    })
  return { runtime, directory, digest, run }
}

describe('a task', () => {
  it('runs once to its end, with its environment, and tells how it ended', async () => {
    const { runtime, directory, run } = await claimedRuntime()
    const before = await look(runtime)
    await run('good', `console.log(process.env.PASSWORD.length, Number(process.env.PORT) > 0, process.env.WHO)`, {
      spec: { ...spec, env: { PASSWORD: secret('DATABASE'), WHO: 'me' } },
    })
    await run('bad', `console.log('begun'); console.error('no such table'); process.exit(4)`)
    await until(runtime, isOver('good'))
    const seen = await until(runtime, isOver('bad'))
    expect(Number(seen.revision)).toBe(Number(before.revision) + 2)
    expect(seen.slots).toEqual([])
    expect(seen.tasks).toMatchObject([
      { id: 'good', slot: 'a', phase: 'succeeded', exitCode: 0 },
      { id: 'bad', slot: 'a', phase: 'failed', exitCode: 4 },
    ])
    const { instances } = await runtime.evidence(web, 'good', context)
    expect(instances).toMatchObject([{ id: 'good', exitCode: 0, lastOutput: ['19 true me'] }])
    const output = (await runtime.evidence(web, 'bad', context)).instances[0]?.lastOutput
    expect(output?.toSorted()).toEqual(['begun', 'no such table'])
    const files = readdirSync(place(directory), { recursive: true, encoding: 'utf8' }).map((name) =>
      join(place(directory), name),
    )
    expect(
      files.filter((file) => /\.(?:json|log)$/.test(file) && readFileSync(file, 'utf8').includes('hunter2')),
    ).toEqual([])
  })

  it('is not run again under the same name, neither while it runs nor after it', async () => {
    const { runtime, run } = await claimedRuntime()
    const marks = mkdtempSync(join(newDirectory(), 'm-'))
    const mark = `import { writeFileSync } from 'node:fs'; writeFileSync('${marks}/' + process.pid, ''); setTimeout(() => {}, 400)`
    await run('t', mark)
    await until(runtime, ({ tasks }) => tasks[0]?.phase === 'running')
    await run('t', mark)
    await until(runtime, isOver('t'))
    const { revision } = await look(runtime)
    await run('t', mark)
    await sleep(300)
    expect(await look(runtime)).toMatchObject({ revision, tasks: [{ phase: 'succeeded' }] })
    expect(readdirSync(marks)).toHaveLength(1)
  })

  it('that can never start says so', async () => {
    const { runtime, digest } = await claimedRuntime()
    await order(runtime, task('t', digest, ['no-such-program']))
    const seen = await until(runtime, isOver('t'))
    const message = expect.stringContaining('no-such-program')
    expect(seen.tasks).toMatchObject([{ phase: 'failed', reason: 'start-failed', message }])
  })

  it('goes with its slot, ended with its grace where it still runs', async () => {
    const { runtime, directory, digest, run } = await claimedRuntime()
    await order(runtime, ensure('a', digest))
    await run('over', '')
    await run('busy', `process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000); console.log('up')`)
    await until(runtime, isOver('over'))
    await expect
      .poll(async () => (await runtime.evidence(web, 'busy', context)).instances[0]?.lastOutput)
      .toEqual(['up'])
    await order(runtime, { type: 'remove-slot', slot: 'a' })
    const seen = await until(runtime, ({ tasks, slots }) => tasks.length + slots.length === 0)
    expect(seen.tasks).toEqual([])
    expect(readdirSync(join(place(directory), 'made'))).toEqual([])
    expect((await runtime.evidence(web, 'over', context)).instances).toEqual([])
  })

  it('that a killed supervisor took with it is shown as failed, and never run again by itself', async () => {
    const { runtime, directory, run } = await claimedRuntime()
    await run('over', `console.log('done')`)
    await until(runtime, isOver('over'))
    await run('busy', `console.log('half way'); setInterval(() => {}, 1000)`)
    await expect
      .poll(async () => (await runtime.evidence(web, 'busy', context)).instances[0]?.lastOutput)
      .toEqual(['half way'])
    process.kill(readWhereabouts(place(directory))?.pid ?? 0, 'SIGKILL')
    const seen = await until(runtime, isOver('busy'))
    expect(seen.tasks).toMatchObject([
      { id: 'over', phase: 'succeeded', exitCode: 0 },
      { id: 'busy', phase: 'failed', reason: 'supervisor-ended' },
    ])
    const outputOf = async (name: string) => (await runtime.evidence(web, name, context)).instances[0]?.lastOutput
    expect([await outputOf('over'), await outputOf('busy')]).toEqual([['done'], ['half way']])
  })
})

describe('removing the target', () => {
  it('is refused while there is a slot or a task that runs', async () => {
    const { runtime, digest, run } = await claimedRuntime()
    await order(runtime, ensure('a', digest))
    const refused = { code: 'RUNTIME_FAILED', effect: 'none' }
    await expect(order(runtime, { type: 'remove-target' })).rejects.toMatchObject(refused)
    await order(runtime, { type: 'remove-slot', slot: 'a' })
    await until(runtime, ({ slots }) => slots.length === 0)
    await run('t', 'setInterval(() => {}, 1000)')
    await expect(order(runtime, { type: 'remove-target' })).rejects.toMatchObject(refused)
  })

  it('closes the port and forgets all but the volumes; the next claim begins anew', async () => {
    const { runtime, directory, digest } = await claimedRuntime()
    await runtime.claim(web, testContext({ token: 9 }))
    const latest = { context: testContext({ token: 9 }) }
    const volumes = [{ source: 'data', path: '/data', readOnly: false }]
    await order(runtime, ensure('a', digest, { spec: { ...spec, volumes } }), latest)
    await until(runtime, isReady('a'))
    await order(runtime, { type: 'route', from: [], to: ['a'] }, latest)
    const [address = ''] = (await look(runtime)).route.addresses
    await order(runtime, { type: 'route', from: ['a'], to: [] }, latest)
    await order(runtime, { type: 'remove-slot', slot: 'a' }, latest)
    const before = await until(runtime, ({ slots }) => slots.length === 0)
    await order(runtime, { type: 'remove-target' }, latest)
    const after = await look(runtime)
    expect(after).toMatchObject({ fence: 0, slots: [], tasks: [], route: { slots: [], addresses: [] } })
    expect(Number(after.revision)).toBeGreaterThan(Number(before.revision))
    await expect(fetch(address)).rejects.toThrow()
    for (const name of ['made', 'logs', 'task-logs', 'slots', 'tasks'])
      expect(existsSync(join(place(directory), name))).toBe(false)
    expect(existsSync(join(place(directory), 'volumes/data'))).toBe(true)
    await order(runtime, { type: 'remove-target' })
    await runtime.claim(web, testContext({ token: 2 }))
    expect(await look(runtime)).toMatchObject({ fence: 2 })
    await order(runtime, task('t', digest, ['node', '-e', '']), { context: testContext({ token: 2 }) })
    expect((await until(runtime, isOver('t'))).tasks).toHaveLength(1)
  })
})

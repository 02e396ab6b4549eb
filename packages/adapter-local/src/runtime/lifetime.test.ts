import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { testContext } from '@kiwi/core/testing'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { readWhereabouts } from '../supervisor/whereabouts.js'
import { isAlive } from './alive.js'
import {
  answering,
  bundleSupervisor,
  ensure,
  isReady,
  look,
  newDirectory,
  order,
  putNodeImage,
  spec,
  startRuntime,
  until,
  web,
} from './testing.js'

const context = testContext()
const plain = { isolation: 'none' } as const
const placeOf = (directory: string) => join(directory, 'environments/web/production')
const pidOf = (directory: string) => readWhereabouts(placeOf(directory))?.pid ?? 0

describe('a supervisor', () => {
  it('outlives the process that started it, and the next one finds everything as it was', async () => {
    const directory = newDirectory()
    const runtime = await startRuntime({ ...plain, directory })
    const digest = await putNodeImage(runtime, answering('hello'))
    await deployInAnotherProcess(directory, digest)
    const found = await look(runtime)
    expect(found).toMatchObject({
      fence: 4,
      slots: [{ id: 'a', instances: [{ ready: true }] }],
      route: { slots: ['a'] },
    })
    expect(await (await fetch(found.route.addresses[0] ?? '')).text()).toBe('hello')
    await runtime.claim(web, testContext({ token: 5 }))
    await order(runtime, { type: 'route', from: ['a'], to: [] }, { context: testContext({ token: 5 }) })
  })

  it('is only one, however many hosts start it at once, and the newest token wins', async () => {
    const directory = newDirectory()
    const runtimes = await Promise.all([1, 2, 3, 4].map(() => startRuntime({ ...plain, directory })))
    const claims = runtimes.map((runtime, index) => runtime.claim(web, testContext({ token: index + 1 })))
    const refused = (await Promise.allSettled(claims)).filter(({ status }) => status === 'rejected')
    expect(refused.map((result) => 'reason' in result && result.reason.code)).toEqual(refused.map(() => 'FENCED'))
    for (const runtime of runtimes) expect(await look(runtime)).toMatchObject({ fence: 4 })
    const processes = () => execFileSync('ps', ['-eo', 'args']).toString().split('\n')
    await expect.poll(() => processes().filter((line) => line.endsWith(placeOf(directory)))).toHaveLength(1)
  })

  it('takes its instances with it when it is killed; the next one knows the slots and starts them when told how', async () => {
    const directory = newDirectory()
    const runtime = await startRuntime({ ...plain, directory })
    const pidFile = join(newDirectory(), 'pid')
    const program = `${answering('a')}; import { writeFileSync } from 'node:fs'; writeFileSync('${pidFile}', String(process.pid))`
    const action = ensure('a', await putNodeImage(runtime, program))
    await runtime.claim(web, context)
    await order(runtime, action)
    await until(runtime, isReady('a'))
    await order(runtime, { type: 'route', from: [], to: ['a'] })
    const before = await look(runtime)
    const application = Number(readFileSync(pidFile, 'utf8'))
    process.kill(pidOf(directory), 'SIGKILL')
    await expect.poll(() => isAlive(application)).toBe(false)
    const after = await until(runtime, isReady('a', 0))
    expect(after).toMatchObject({ fence: 1, slots: [{ id: 'a', replicas: 1, instances: [] }], route: { slots: ['a'] } })
    expect(after.route.addresses).toEqual(before.route.addresses)
    expect((await fetch(after.route.addresses[0] ?? '')).status).toBe(503)
    await order(runtime, action)
    await until(runtime, isReady('a'))
    expect(await (await fetch(after.route.addresses[0] ?? '')).text()).toBe('a')
  })

  it('goes with all it runs when it is stopped, and leaves no trace of a process', async () => {
    const directory = newDirectory()
    const runtime = await startRuntime({ ...plain, directory })
    await runtime.claim(web, context)
    await order(runtime, ensure('a', await putNodeImage(runtime, answering('a')), { replicas: 2 }))
    await until(runtime, isReady('a', 2))
    const pid = pidOf(directory)
    await runtime.stop(web)
    expect(isAlive(pid)).toBe(false)
    expect(execFileSync('ps', ['-eo', 'args']).toString()).not.toContain(directory)
    expect(existsSync(join(placeOf(directory), 'supervisor.sock'))).toBe(false)
    expect(await look(runtime)).toMatchObject({ slots: [], route: { slots: [], addresses: [] } })
    await runtime.stop(web)
  })

  it('has a place for its socket also where paths are long', async () => {
    const directory = join(newDirectory(), 'a-long-name-'.repeat(12))
    const runtime = await startRuntime({ ...plain, directory })
    await runtime.claim(web, context)
    expect(await look(runtime)).toMatchObject({ fence: 1 })
    const socket = readWhereabouts(placeOf(directory))?.socket ?? ''
    await runtime.stop(web)
    expect(existsSync(join(socket, '..'))).toBe(false)
  })

  it('cannot be started from a file that is not there, and says so', async () => {
    const runtime = await startRuntime({ ...plain, supervisorPath: '/nowhere/main.js' })
    await expect(runtime.claim(web, context)).rejects.toMatchObject({
      code: 'RUNTIME_UNREACHABLE',
      effect: 'none',
      evidence: { words: expect.stringContaining('/nowhere/main.js') },
    })
  })
})

describe('what a killed supervisor leaves', () => {
  it('is the output of its instances', async () => {
    const directory = newDirectory()
    const runtime = await startRuntime({ ...plain, directory })
    await runtime.claim(web, context)
    await order(runtime, ensure('a', await putNodeImage(runtime, answering('a'))))
    await until(runtime, isReady('a'))
    process.kill(pidOf(directory), 'SIGKILL')
    await until(runtime, isReady('a', 0))
    const { instances } = await runtime.evidence(web, 'a', context)
    expect(instances).toEqual([{ id: 'a-1', lastOutput: ['listening'] }])
  })

  it.runIf(process.platform === 'linux')('is nothing that its plain processes had started', async () => {
    const directory = newDirectory()
    const runtime = await startRuntime({ ...plain, directory })
    const seconds = String(10_000_000 + randomInt(10_000_000))
    const program = `${answering('a')}; import { spawn } from 'node:child_process'
      spawn('sleep', ['${seconds}'], { detached: true, stdio: 'inherit' })`
    const action = ensure('a', await putNodeImage(runtime, program))
    await runtime.claim(web, context)
    await order(runtime, action)
    await until(runtime, isReady('a'))
    const sleeping = () => execFileSync('ps', ['-eo', 'args']).toString().includes(`sleep ${seconds}`)
    expect(sleeping()).toBe(true)
    process.kill(pidOf(directory), 'SIGKILL')
    await until(runtime, isReady('a', 0))
    await expect.poll(sleeping).toBe(false)
    await order(runtime, action)
    await until(runtime, isReady('a'))
    expect(sleeping()).toBe(true)
    await runtime.stop(web)
    expect(sleeping()).toBe(false)
  })
})

describe('stopping an instance', () => {
  const stubborn = `${answering('a')}; process.on('SIGTERM', () => console.log('not yet'))`

  it('waits for the grace and then kills', async () => {
    const runtime = await startRuntime(plain)
    await runtime.claim(web, context)
    const action = ensure('a', await putNodeImage(runtime, stubborn), { spec: { ...spec, stopGraceMs: 600 } })
    await order(runtime, action)
    await until(runtime, isReady('a'))
    const started = performance.now()
    await order(runtime, { type: 'remove-slot', slot: 'a' })
    const stopping = await look(runtime)
    expect(stopping.slots[0]?.instances).toMatchObject([{ phase: 'stopping', ready: false }])
    await until(runtime, ({ slots }) => slots.length === 0)
    expect(performance.now() - started).toBeGreaterThan(590)
    expect(performance.now() - started).toBeLessThan(3000)
  })
})

/** Claims, starts slot `a` and routes to it, in a process that then ends. */
async function deployInAnotherProcess(directory: string, digest: string): Promise<void> {
  const entry = join(newDirectory(), 'host.mjs')
  const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  const action = ensure('a', digest)
  const program = `
    import { localRuntime } from ${JSON.stringify(source('./index.ts'))}
    import { testContext } from ${JSON.stringify(source('../../../core/src/testing/context.ts'))}
    const runtime = localRuntime(${JSON.stringify({ ...plain, directory, supervisorPath: await bundleSupervisor() })})
    const [web, action] = ${JSON.stringify([web, action])}
    const context = testContext({ token: 4 })
    await runtime.claim(web, context)
    const act = async (action) => {
      for await (const { revision } of runtime.observe(web, context)) return runtime.act(web, { ...action, revision }, context)
    }
    await act(action)
    for await (const { slots } of runtime.observe(web, context)) if (slots[0]?.instances[0]?.ready) break
    await act({ type: 'route', from: [], to: ['a'] })`
  writeFileSync(`${entry}.ts`, program)
  await build({
    entryPoints: [`${entry}.ts`],
    outfile: entry,
    alias: { '@kiwi/core': source('../../../core/src/index.ts') },
    external: ['@kiwi/wizard', 'simple-git', 'zod', 'tar-stream'],
    bundle: true,
    format: 'esm',
    platform: 'node',
  })
  execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', entry], { timeout: 20_000 })
}

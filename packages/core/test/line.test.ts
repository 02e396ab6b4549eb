import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKiwi, type Kiwi, KiwiError, type KiwiEvent, type ServiceDefinition, sqliteStore } from '@kiwi/core'
import { type MemoryRuntime, memoryBuilder, memoryRegistry, memoryRuntime } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let directory: string
let repository: string
let runtime: MemoryRuntime
let kiwi: Kiwi
/** Which instances crash. */
let crashes: (id: string) => boolean

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-line-'))
  repository = join(directory, 'repository')
  execFileSync('git', ['init', '-q', '-b', 'main', repository])
  commit('first')
  crashes = () => false
  runtime = memoryRuntime({ health: (_digest, _spec, id) => (crashes(id) ? 'crashes' : 'ready') })
  kiwi = await start()
})

afterEach(async () => {
  await kiwi.close()
  rmSync(directory, { recursive: true })
})

async function start(
  overrides: { runtime?: MemoryRuntime; onKillPoint?: (point: { name: string }) => void } = {},
): Promise<Kiwi> {
  const created = await createKiwi({
    builders: { memory: memoryBuilder() },
    registries: { memory: memoryRegistry() },
    runtimes: { memory: overrides.runtime ?? runtime },
    store: sqliteStore({ path: join(directory, 'kiwi.sqlite') }),
    directory,
    onKillPoint: overrides.onKillPoint,
  })
  await created.services.register(definition())
  return created
}

function definition(): ServiceDefinition {
  return {
    name: 'web',
    source: { git: repository },
    image: { registry: 'memory', repository: 'web' },
    environments: { production: { runtime: 'memory', replicas: 2, readyWithinMs: 5_000, strategy: 'blue-green' } },
  }
}

function commit(text: string): string {
  writeFileSync(join(repository, 'Dockerfile'), `FROM scratch\nLABEL text=${text}\n`)
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args])
  git('add', '.')
  git('commit', '-q', '-m', text)
  return git('rev-parse', 'HEAD').toString().trim()
}

const asked = { environment: 'production', ref: 'main', by: 'ana' }

describe('a release', () => {
  it('resolves with the history row, and its events are numbered without a gap and end with run-ended', async () => {
    const run = await kiwi.release('web', asked)
    const events: KiwiEvent[] = await Array.fromAsync(run)
    const release = await run.result
    expect(release).toMatchObject({
      id: 'web/production/1',
      status: 'succeeded',
      slot: 'r1',
      deployer: 'ana',
      replicas: 2,
    })
    const stored = events.filter((event) => event.seq !== undefined)
    expect(stored.map(({ seq }) => seq)).toEqual(stored.map((_, index) => index + 1))
    expect(stored.at(-1)).toMatchObject({ type: 'run-ended', status: 'succeeded' })
    const stages = events.flatMap((event) => (event.type === 'stage-ended' ? [event.stage] : []))
    expect(stages).toEqual(['source', 'analyse', 'build', 'push', 'deploy', 'verify', 'record'])
    expect(await Array.fromAsync(await kiwi.run(run.id))).toEqual(stored)
  })

  it('takes the place of the one before, which stays ready for the way back', async () => {
    await (await kiwi.release('web', asked)).result
    const second = commit('second')
    expect(await (await kiwi.release('web', asked)).result).toMatchObject({
      number: 2,
      commit: second,
      replaced: 'web/production/1',
    })
    const { route, slots } = runtime.snapshot({ service: 'web', environment: 'production' })
    expect(route.slots).toEqual(['r2'])
    expect(slots.map(({ id }) => id).sort()).toEqual(['r1', 'r2'])
  })

  it('is made once for two requests with the same id', async () => {
    const [one, other] = await Promise.all([1, 2].map(() => kiwi.release('web', { ...asked, requestId: 'x' })))
    expect(one?.id).toBe(other?.id)
    await one?.result
    expect(await kiwi.history('web', 'production')).toHaveLength(1)
  })

  it('that crashes fails with the evidence, leaves the old one in place and is in the history', async () => {
    await (await kiwi.release('web', asked)).result
    commit('broken')
    crashes = (id) => id.startsWith('r2')
    const failure = await (await kiwi.release('web', asked)).result.catch((error: unknown) => error)
    expect(KiwiError.is(failure) && failure.toRecord()).toMatchObject({
      code: 'INSTANCE_CRASHED',
      stage: 'deploy',
      evidence: { lastOutput: expect.arrayContaining(['r2-0: exit code 1', 'it ended by itself']) },
    })
    const { route, slots } = runtime.snapshot({ service: 'web', environment: 'production' })
    expect([route.slots, slots.map(({ id }) => id)]).toEqual([['r1'], ['r1']])
    expect((await kiwi.history('web', 'production')).map(({ status }) => status)).toEqual(['succeeded', 'failed'])
  })
})

describe('a run that holds', () => {
  it('moves the route when it is promoted, and not before', async () => {
    const run = await kiwi.release('web', { ...asked, hold: true })
    for await (const event of run) if (event.type === 'rollout' && event.what === 'someone promotes it') break
    expect(runtime.snapshot({ service: 'web', environment: 'production' }).route.slots).toEqual([])
    await kiwi.promote(run.id, { by: 'bob' })
    await run.result
    expect(runtime.snapshot({ service: 'web', environment: 'production' }).route.slots).toEqual(['r1'])
  })

  it('takes its slot away again when it is reverted', async () => {
    await (await kiwi.release('web', asked)).result
    const run = await kiwi.release('web', { ...asked, hold: true })
    for await (const event of run) if (event.type === 'rollout' && event.what === 'someone promotes it') break
    await kiwi.revert(run.id, { by: 'bob', reason: 'not today' })
    await expect(run.result).rejects.toMatchObject({
      code: 'CANCELLED',
      message: 'the run was put back by bob: not today',
    })
    expect(runtime.snapshot({ service: 'web', environment: 'production' }).slots.map(({ id }) => id)).toEqual(['r1'])
  })
})

describe('a rollback', () => {
  it('brings the release before back by its slot, and is a new row of the history', async () => {
    await (await kiwi.release('web', asked)).result
    commit('second')
    await (await kiwi.release('web', asked)).result
    const before = runtime.acts.length
    const release = await (await kiwi.rollback('web', { environment: 'production', by: 'bob' })).result
    expect(release).toMatchObject({ number: 3, kind: 'rollback', of: 'web/production/1', slot: 'r1' })
    expect(runtime.acts.slice(before).map(({ type }) => type)).toEqual(['route'])
  })

  it('is refused where there is nothing to go back to', async () => {
    const run = await kiwi.rollback('web', { environment: 'production', by: 'bob' })
    await expect(run.result).rejects.toMatchObject({ code: 'ROLLBACK_IMPOSSIBLE' })
  })
})

describe('a run whose process stopped', () => {
  it('is finished by another one, without a second release', async () => {
    await kiwi.close()
    const stop: { at?: () => void } = {}
    const first = await start({ onKillPoint: ({ name }) => name === 'push: effect done' && stop.at?.() })
    stop.at = () => void first.close()
    const { id } = await first.release('web', asked)
    await first.close()
    kiwi = await start()
    const [run] = await kiwi.resume(id)
    expect((await run?.result)?.number).toBe(1)
    expect(await kiwi.history('web', 'production')).toHaveLength(1)
  })
})

describe('what is asked wrongly', () => {
  it.each([
    ['an unknown service', () => kiwi.release('nothing', asked), 'SERVICE_UNKNOWN'],
    ['an unknown environment', () => kiwi.release('web', { ...asked, environment: 'moon' }), 'INPUT_INVALID'],
    ['an unknown run', () => kiwi.run('none'), 'RUN_UNKNOWN'],
  ])('%s is refused before a run is made', async (_, call, code) => {
    await expect(call()).rejects.toMatchObject({ code })
    expect(await kiwi.runs()).toEqual([])
  })

  it('a ref that does not exist ends the run with what to do', async () => {
    const run = await kiwi.release('web', { ...asked, ref: 'nowhere' })
    await expect(run.result).rejects.toMatchObject({ code: 'REF_NOT_FOUND', stage: 'source' })
  })
})

describe('a secret', () => {
  it('that a crashing application prints is in no event, error or row', async () => {
    process.env.KIWI_TEST_PASSWORD = 'correct-horse'
    await kiwi.close()
    crashes = () => true
    const leaky: MemoryRuntime = {
      ...runtime,
      async act(target, action, context) {
        if (action.type === 'ensure-slot') await context.secret({ secret: 'KIWI_TEST_PASSWORD' }, async () => undefined)
        await runtime.act(target, action, context)
      },
      evidence: async (_, slot) => ({ slot, instances: [{ id: slot, lastOutput: ['password is correct-horse'] }] }),
    }
    kiwi = await start({ runtime: leaky })
    const run = await kiwi.release('web', asked)
    const told = JSON.stringify([await Array.fromAsync(run), await kiwi.history('web', 'production')])
    const error = await run.result.catch((thrown: unknown) => JSON.stringify(thrown) + String(thrown))
    expect(told).toContain('password is [redacted:KIWI_TEST_PASSWORD]')
    expect(told + error + readFileSync(join(directory, 'kiwi.sqlite')).toString('latin1')).not.toContain(
      'correct-horse',
    )
    delete process.env.KIWI_TEST_PASSWORD
  })
})

describe('a runtime that refuses for good', () => {
  it('fails the run with its own error, after the way back', async () => {
    await kiwi.close()
    const refusing: MemoryRuntime = {
      ...runtime,
      async act(target, action, context) {
        if (action.type === 'route') throw new KiwiError('RUNTIME_FAILED', 'no', { retryable: false })
        await runtime.act(target, action, context)
      },
    }
    kiwi = await start({ runtime: refusing })
    const run = await kiwi.release('web', asked)
    await expect(run.result).rejects.toMatchObject({ code: 'RUNTIME_FAILED', stage: 'deploy' })
    expect(runtime.snapshot({ service: 'web', environment: 'production' }).slots).toEqual([])
  })
})

describe('a crash', () => {
  const state = () => runtime.snapshot({ service: 'web', environment: 'production' }).route.slots

  /** Works until the kill point of that name comes for the nth time, then stops as a killed process would, and another one takes over. */
  async function stopAt(
    name: string,
    nth: number,
    first: MemoryRuntime,
    then: MemoryRuntime,
    ask: (of: Kiwi) => Promise<{ id: string }>,
  ): Promise<string> {
    await kiwi.close()
    const stop: { now?: () => void } = {}
    let times = 0
    const one = await start({
      runtime: first,
      onKillPoint: (point) => {
        if (point.name === name) times += 1
        if (times === nth) stop.now?.()
      },
    })
    const closed = new Promise<void>((resolve) => {
      stop.now = () => resolve(one.close())
    })
    const { id } = await ask(one)
    await closed
    await one.close()
    kiwi = await start({ runtime: then })
    return id
  }

  it('while the route goes back after a failed check does not make the release good', { timeout: 30_000 }, async () => {
    const server = createServer((_, response) => {
      response.statusCode = state()[0] === 'r1' ? 200 : 500
      response.end()
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const served: MemoryRuntime = {
      ...runtime,
      async *observe(target, context) {
        for await (const seen of runtime.observe(target, context))
          yield { ...seen, route: { ...seen.route, addresses: [address] } }
      },
    }
    await kiwi.close()
    kiwi = await start({ runtime: served })
    await (await kiwi.release('web', asked)).result
    commit('second')
    let routes = 0
    const id = await stopAt('rollout: after route', 2, served, served, async (one) => {
      const run = await one.release('web', asked)
      run.on('route', () => {
        routes += 1
      })
      return run
    })
    const [resumed] = await kiwi.resume(id)
    await expect(resumed?.result).rejects.toMatchObject({ code: 'VERIFY_FAILED' })
    expect(state()).toEqual(['r1'])
    expect((await kiwi.history('web', 'production')).map(({ status }) => status)).toEqual(['succeeded', 'failed'])
    expect(routes).toBeLessThanOrEqual(2)
    server.close()
  })

  it('does not make the next process forget which secrets it must not show', { timeout: 30_000 }, async () => {
    process.env.KIWI_TEST_PASSWORD = 'correct-horse'
    const definitionWithSecret = {
      ...definition(),
      environments: { production: { runtime: 'memory', env: { PASSWORD: { secret: 'KIWI_TEST_PASSWORD' } } } },
    }
    crashes = () => true
    const leaky: MemoryRuntime = {
      ...runtime,
      evidence: async (_, slot) => ({ slot, instances: [{ id: slot, lastOutput: ['it is correct-horse'] }] }),
    }
    const id = await stopAt('rollout: after ensure-slot', 1, runtime, leaky, async (one) => {
      await one.services.register(definitionWithSecret)
      return one.release('web', asked)
    })
    const [run] = await kiwi.resume(id)
    await expect(run?.result).rejects.toMatchObject({ code: 'INSTANCE_CRASHED' })
    const told = JSON.stringify([await Array.fromAsync(await kiwi.run(id)), await kiwi.history('web', 'production')])
    expect(told).toContain('it is [redacted:KIWI_TEST_PASSWORD]')
    expect(told).not.toContain('correct-horse')
    delete process.env.KIWI_TEST_PASSWORD
  })
})

describe('the host', () => {
  it('outlives a store that is closed while a run goes on, and a listener that throws', async () => {
    const store = sqliteStore({ path: join(directory, 'other.sqlite') })
    const one = await createKiwi({
      builders: { memory: memoryBuilder() },
      registries: { memory: memoryRegistry() },
      runtimes: { memory: runtime },
      store,
      directory,
    })
    await one.services.register(definition())
    const run = await one.release('web', { ...asked, hold: true })
    const warned = new Promise((resolve) => process.once('warning', resolve))
    run.on('stage-started', () => {
      throw new Error('the browser is gone')
    })
    expect(await warned).toMatchObject({ message: 'the browser is gone' })
    await store.close()
    await expect(run.result).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await one.close()
  })
})

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import {
  createKiwi,
  type Kiwi,
  KiwiError,
  type KiwiEvent,
  type KiwiOptions,
  type Run,
  type ServiceDefinition,
  sqliteStore,
} from '@kiwi/core'
import {
  type MemoryRegistry,
  type MemoryRuntime,
  memoryBuilder,
  memoryRegistry,
  memoryRuntime,
} from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let directory: string
let repository: string
let runtime: MemoryRuntime
let registry: MemoryRegistry
let health: 'ready' | 'crashes' | 'never'
let kiwi: Kiwi

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-review-'))
  repository = join(directory, 'repository')
  execFileSync('git', ['init', '-q', '-b', 'main', repository])
  commit('first')
  health = 'ready'
  runtime = memoryRuntime({ health: () => health })
  registry = memoryRegistry()
  kiwi = await start()
})

afterEach(async () => {
  await kiwi.close()
  rmSync(directory, { recursive: true })
})

async function start(options: Partial<KiwiOptions> = {}): Promise<Kiwi> {
  const created = await createKiwi({
    builders: { memory: memoryBuilder() },
    registries: { memory: registry },
    runtimes: { memory: runtime },
    store: sqliteStore({ path: join(directory, 'kiwi.sqlite') }),
    directory,
    ...options,
  })
  await created.services.register(definition())
  return created
}

function definition(): ServiceDefinition {
  const environment = { runtime: 'memory', replicas: 2, readyWithinMs: 1_000, health: { path: '/' } } as const
  return {
    name: 'web',
    source: { git: repository },
    image: { registry: 'memory', repository: 'web', tag: '${SHORT_SHA}-${BUILD_NUMBER}' },
    environments: {
      production: { ...environment, strategy: 'blue-green' },
      staging: environment,
      gated: { ...environment, approval: true },
    },
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

const asked = { environment: 'production', by: 'ana' }
const released = async (environment = 'production') =>
  (await kiwi.release('web', { ...asked, environment, ref: 'main' })).result
const shown = (environment = 'production') => runtime.snapshot({ service: 'web', environment })
const codeOf = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return KiwiError.is(error) ? error.code : error
}

async function until(run: AsyncIterable<KiwiEvent>, wanted: (event: KiwiEvent) => boolean): Promise<KiwiEvent> {
  for await (const event of run) if (wanted(event)) return event
  throw new Error('the run ended without it')
}

/** The run is begun by a process that dies before it can write the end; another one takes it over. */
async function endedByAnother(ask: (kiwi: Kiwi) => Promise<Run>): Promise<Run> {
  const inner = sqliteStore({ path: join(directory, 'kiwi.sqlite') })
  const commit: typeof inner.commit = async (lease, batch) => {
    if (batch.end) throw new KiwiError('STORE_FAILED', 'gone')
    return inner.commit(lease, batch)
  }
  const one = await start({ store: { ...inner, commit } })
  const { id, result } = await ask(one)
  expect(await codeOf(result)).toBe('STORE_FAILED')
  await one.close()
  const [run] = await kiwi.resume(id)
  if (!run) throw new Error('there is nothing to resume')
  return run
}

/** A registered runtime whose kind this process lacks. */
async function farAway(kind = 'nowhere'): Promise<void> {
  await kiwi.runtimes.register({ name: 'far', kind })
  await kiwi.services.update('web', {
    environments: { ...definition().environments, far: { runtime: 'far', strategy: 'blue-green', replicas: 1 } },
  })
}

describe('a process that dies between the record of a run and its end', () => {
  it('leaves an undeploy that another one ends as done', async () => {
    await released()
    const run = await endedByAnother((one) => one.undeploy('web', asked))
    expect(await run.result).toMatchObject({ kind: 'undeploy', status: 'succeeded' })
  })

  it('leaves a rollback that another one ends as done', async () => {
    await released()
    await (await kiwi.undeploy('web', asked)).result
    const run = await endedByAnother((one) => one.rollback('web', asked))
    expect(await run.result).toMatchObject({ kind: 'rollback', status: 'succeeded' })
  })
})

describe('a rollback', () => {
  it('asks about a schema change also when nothing runs any more', async () => {
    await released()
    commit('second')
    await (await kiwi.release('web', { ...asked, ref: 'main', schemaChange: true })).result
    await (await kiwi.undeploy('web', asked)).result
    expect(await codeOf((await kiwi.rollback('web', { ...asked, to: 1 })).result)).toBe('SCHEMA_CHANGE')
  })

  it('to before a scale has the instances that it says', async () => {
    await released()
    await (await kiwi.scale('web', { ...asked, replicas: 4 })).result
    const back = await (await kiwi.rollback('web', { ...asked, to: 1 })).result
    expect(back.replicas).toBe(2)
    expect(shown().slots.find(({ id }) => id === 'r1')?.replicas).toBe(2)
    expect((await kiwi.status('web', 'production')).drift).toEqual([])
  })

  it('is planned with the secrets that it needs, not with those of the definition', async () => {
    await released()
    commit('second')
    await released()
    const { environments } = definition()
    const production = { ...environments.production, runtime: 'memory', env: { A: { secret: 'NOT_THERE' } } }
    await kiwi.services.update('web', { environments: { ...environments, production } })
    expect((await kiwi.plan.rollback('web', asked)).problems).toEqual([])
    expect(await codeOf((await kiwi.rollback('web', asked)).result)).toBe(undefined)
  })
})

describe('a revert', () => {
  it('that comes after the last look at the commands is not lost: the release is rolled back', async () => {
    await released()
    commit('second')
    const run = await kiwi.release('web', { ...asked, ref: 'main' })
    await until(run, (event) => event.type === 'stage-ended' && event.stage === 'verify')
    const back = await kiwi.revert(run.id, { by: 'ben' })
    expect((await run.result).slot).toBe('r2')
    expect(await back?.result).toMatchObject({ kind: 'rollback', slot: 'r1' })
    expect(shown().route.slots).toEqual(['r1'])
  })
})

describe('a plan', () => {
  it('has a problem where the deploy would be refused', async () => {
    await released()
    commit('bad')
    health = 'crashes'
    expect(await codeOf(released())).toBe('INSTANCE_CRASHED')
    health = 'ready'
    const image = (await kiwi.quarantine.list('web', 'production'))[0]?.digest ?? ''
    expect((await kiwi.plan.deploy('web', { ...asked, image })).problems.map(({ code }) => code)).toEqual([
      'QUARANTINED',
    ])
  })
})

describe('prune', () => {
  async function manyBuilds(count: number): Promise<void> {
    const commits = Array.from({ length: count }, (_, index) => commit(`more-${index}`))
    await Promise.all(commits.map(async (ref) => (await kiwi.build('web', { ref, by: 'ana' })).result))
  }

  it('keeps what a run that has not ended is about to deploy', async () => {
    const run = await kiwi.release('web', { ...asked, environment: 'gated', ref: 'main' })
    await until(run, (event) => event.type === 'run-waiting' && event.for === 'approval')
    await manyBuilds(11)
    await kiwi.prune({ apply: true })
    await kiwi.approve(run.id, { by: 'eve' })
    await run.result
    const { image } = (await kiwi.history('web', 'gated'))[0] ?? {}
    expect(registry.images('web').manifests.has(image?.digest ?? '')).toBe(true)
  })

  it('leaves a run that can be asked for, and followed to its end', async () => {
    const store = sqliteStore({ path: join(directory, 'kiwi.sqlite') })
    const run = await kiwi.build('web', { ref: 'main', by: 'ana' })
    const build = await run.result
    await store.forget(run.id)
    await store.close()
    const later = await kiwi.run(run.id)
    expect(await later.result).toEqual(build)
    expect(await Array.fromAsync(later)).toEqual([])
  }, 5_000)
})

describe('a run that waits for an adapter', () => {
  it.each(['cancel', 'revert'] as const)(
    'ends with %s, whatever its kind',
    async (type) => {
      const build = await (await kiwi.build('web', { ref: 'main', by: 'ana' })).result
      await farAway()
      const far = { environment: 'far', by: 'ana' }
      const one = await kiwi.deploy('web', { ...far, image: build.tag ?? '' })
      await until(one, (event) => event.type === 'run-waiting' && event.for === 'adapter')
      await kiwi[type](one.id, { by: 'ben' })
      expect(await codeOf(one.result)).toBe('CANCELLED')
      const adopted = await kiwi.adopt('web', { ...far, selector: 'x' })
      await until(adopted, (event) => event.type === 'run-waiting' && event.for === 'adapter')
      await kiwi[type](adopted.id, { by: 'ben' })
      expect(await codeOf(adopted.result)).toBe('CANCELLED')
    },
    8_000,
  )

  it('and had begun to deploy is not ended by a cancel before the way back is gone', async () => {
    await kiwi.close()
    const kinds = { runtimes: { 'memory-kind': () => runtime } }
    kiwi = await start({ kinds })
    await farAway('memory-kind')
    const first = await kiwi.release('web', { environment: 'far', by: 'ana', ref: 'main' })
    await first.result
    commit('second')
    const run = await kiwi.release('web', { environment: 'far', by: 'ana', ref: 'main', hold: true })
    await until(run, (event) => event.type === 'rollout' && event.phase === 'waiting' && event.ready === 1)
    await kiwi.close()
    kiwi = await createKiwi({
      builders: { memory: memoryBuilder() },
      registries: { memory: registry },
      store: sqliteStore({ path: join(directory, 'kiwi.sqlite') }),
      directory,
    })
    const [lacking] = await kiwi.resume(run.id)
    if (!lacking) throw new Error('there is nothing to resume')
    await until(lacking, (event) => event.type === 'run-waiting' && event.for === 'adapter')
    await kiwi.cancel(run.id, { by: 'ben' })
    await wait(1_500)
    const row = (await kiwi.runs({})).find(({ runId }) => runId === run.id)
    await kiwi.close()
    kiwi = await createKiwi({
      builders: { memory: memoryBuilder() },
      registries: { memory: registry },
      runtimes: { memory: runtime },
      kinds,
      store: sqliteStore({ path: join(directory, 'kiwi.sqlite') }),
      directory,
    })
    const [resumed] = await kiwi.resume()
    expect(row?.status).toBe('running')
    expect(await codeOf(resumed?.result ?? Promise.resolve())).toBe('CANCELLED')
    expect(runtime.snapshot({ service: 'web', environment: 'far' }).slots.map(({ id }) => id)).toEqual(['r1'])
  }, 12_000)

  it('says so once, however long its story is', async () => {
    await kiwi.close()
    const kinds = { runtimes: { 'memory-kind': () => runtime } }
    const memory = memoryBuilder()
    const loud = {
      ...memory,
      build: async (...[request, io, context]: Parameters<typeof memory.build>) => {
        for (let line = 0; line < 1_200; line += 1)
          await context.output(Buffer.from(`line ${line}\n`), { stream: 'out' })
        return memory.build(request, io, context)
      },
    }
    kiwi = await start({ kinds, builders: { memory: loud } })
    await farAway('memory-kind')
    const run = await kiwi.release('web', { environment: 'far', by: 'ana', ref: 'main', hold: true })
    await until(run, (event) => event.type === 'rollout' && event.phase === 'waiting')
    await kiwi.close()
    kiwi = await createKiwi({
      builders: {},
      registries: { memory: registry },
      store: sqliteStore({ path: join(directory, 'kiwi.sqlite') }),
      directory,
    })
    await kiwi.resume()
    await wait(2_500)
    const store = sqliteStore({ path: join(directory, 'kiwi.sqlite') })
    const events = await store.read(run.id, 0, 10_000)
    await store.close()
    expect(events.filter(({ type }) => type === 'run-waiting')).toHaveLength(1)
  }, 12_000)
})

describe('an adopt', () => {
  it('that failed can be tried again', async () => {
    const { image } = await released('staging')
    const spec = (await kiwi.history('web', 'staging'))[0]?.spec
    if (!spec || !image) throw new Error('nothing was released')
    const found = { image: `memory/web:${image.tag}`, replicas: 2, spec, notes: [] }
    runtime.plant({ service: 'web', environment: 'production' }, 'old', found)
    const { adopt } = runtime
    let broken = true
    runtime.adopt = async (...given) => {
      if (broken) throw new KiwiError('RUNTIME_UNREACHABLE', 'gone')
      await adopt?.(...given)
    }
    expect(await codeOf((await kiwi.adopt('web', { ...asked, selector: 'old' })).result)).toBe('RUNTIME_UNREACHABLE')
    broken = false
    expect(await (await kiwi.adopt('web', { ...asked, selector: 'old' })).result).toMatchObject({ number: 0 })
  })
})

describe('a listener', () => {
  it('whose promise rejects does not end the host', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => void unhandled.push(reason)
    const warnings: Error[] = []
    const warn = (warning: Error) => void warnings.push(warning)
    process.on('unhandledRejection', note).on('warning', warn)
    const run = await kiwi.build('web', { ref: 'main', by: 'ana' })
    run.on('run-ended', async () => Promise.reject(new Error('of the listener')))
    await run.result
    await wait(100)
    process.off('unhandledRejection', note).off('warning', warn)
    expect(unhandled).toEqual([])
    expect(warnings.map(({ message }) => message)).toContain('of the listener')
  })

  it('that comes late reads a long story without waiting', async () => {
    await kiwi.close()
    const memory = memoryBuilder()
    const lines = Array.from({ length: 20_000 }, (_, line) => `line ${line}\n`).join('')
    const loud = {
      ...memory,
      build: async (...[request, io, context]: Parameters<typeof memory.build>) => {
        await context.output(Buffer.from(lines), { stream: 'out' })
        return memory.build(request, io, context)
      },
    }
    let sleeps = 0
    const clock = {
      now: () => Date.now(),
      sleep: async (milliseconds: number, signal: AbortSignal) => {
        sleeps += 1
        await wait(milliseconds, undefined, { signal })
      },
    }
    kiwi = await start({ builders: { memory: loud }, clock })
    const run = await kiwi.build('web', { ref: 'main', by: 'ana' })
    await run.result
    await kiwi.close()
    kiwi = await start({ clock })
    const before = sleeps
    expect((await Array.fromAsync(await kiwi.run(run.id))).length).toBeGreaterThan(20_000)
    expect(sleeps - before).toBeLessThan(3)
  })
})

describe('the row of a build', () => {
  it('that could not be pushed and was pushed later is whole, and tells how long it was made', async () => {
    const { sink } = registry
    registry.sink = () => {
      throw new KiwiError('REGISTRY_UNREACHABLE', 'gone')
    }
    await codeOf((await kiwi.build('web', { ref: 'main', by: 'ana' })).result)
    registry.sink = sink
    const [failed] = await kiwi.builds('web')
    await wait(1_000)
    const pushed = await (await kiwi.push('web', { buildNumber: 1, by: 'ana' })).result
    expect(failed).toMatchObject({ status: 'failed' })
    expect(pushed).toMatchObject({ status: 'succeeded', durationMs: failed?.durationMs })
    expect(pushed.error).toBe(undefined)
  })

  it('that failed before its recipe was known has its commit', async () => {
    const { Dockerfile: _, ...build } = {
      build: { dockerfile: { mode: 'path', path: 'nowhere' } } as const,
      Dockerfile: 1,
    }
    await kiwi.services.update('web', build)
    const sha = commit('second')
    expect(await codeOf((await kiwi.build('web', { ref: 'main', by: 'ana' })).result)).toBe('DOCKERFILE_MISSING')
    expect((await kiwi.builds('web'))[0]).toMatchObject({ status: 'failed', commit: sha })
  })
})

describe('a secret', () => {
  const value = 'hunter2-hunter2'
  const secret = { secret: 'REVIEW_TOKEN' }
  const telling = {
    ...memoryRegistry(),
    resolve: async (
      _: unknown,
      context: { secret<T>(ref: typeof secret, use: (value: string) => Promise<T>): Promise<T> },
    ) =>
      context.secret(secret, async (plain) => {
        throw new KiwiError('REGISTRY_DENIED', `denied with ${plain}`)
      }),
    probe: async (context: Parameters<MemoryRegistry['probe']>[0]) =>
      context.secret(secret, async (plain) => ({ ok: false, summary: `denied with ${plain}`, details: { plain } })),
  } as MemoryRegistry

  it('does not come out of a probe, the doctor, a plan or the source', async () => {
    await kiwi.close()
    kiwi = await start({ registries: { memory: telling }, secrets: async () => value })
    expect(JSON.stringify(await kiwi.registries.probe('memory'))).not.toContain(value)
    expect(JSON.stringify(await kiwi.registries.list())).not.toContain(value)
    expect(JSON.stringify(await kiwi.doctor())).not.toContain(value)
    const plan = await kiwi.plan.deploy('web', { ...asked, image: 'v1' })
    expect(plan.problems).toHaveLength(1)
    expect(JSON.stringify(plan)).not.toContain(value)
  })

  it('does not come out of the status or the readiness', async () => {
    await kiwi.close()
    const shy: MemoryRuntime = {
      ...runtime,
      async *observe(_, context) {
        await context.secret(secret, async (plain) => {
          throw new KiwiError('RUNTIME_UNREACHABLE', `no answer with ${plain}`)
        })
      },
    }
    kiwi = await start({ runtimes: { memory: shy }, secrets: async () => value })
    const { unreachable } = await kiwi.status('web', 'production')
    expect(unreachable).toMatch(/no answer/)
    expect(unreachable).not.toContain(value)
  })

  it('does not come out of the output of instances that another process is starting', async () => {
    await kiwi.close()
    runtime = memoryRuntime({ prints: () => `with ${value}` })
    const secrets = async () => value
    const { environments } = definition()
    const production = { ...environments.production, runtime: 'memory', env: { A: secret } }
    const change = { environments: { ...environments, production } }
    const other = await start({ secrets })
    await other.services.update('web', change)
    const run = await other.release('web', { ...asked, ref: 'main', hold: true })
    await until(run, (event) => event.type === 'rollout' && event.phase === 'waiting' && event.ready === 2)
    kiwi = await start({ secrets })
    await kiwi.services.update('web', change)
    const lines = await Array.fromAsync(kiwi.instanceLogs('web', 'production', { slot: 'r1' }))
    await other.close()
    expect(lines.length).toBeGreaterThan(0)
    expect(JSON.stringify(lines)).not.toContain(value)
  })
})

describe('a run under way', () => {
  it('keeps the runtime that it began with when its entry is changed', async () => {
    await kiwi.close()
    const others = new Map([
      ['a', memoryRuntime({ addresses: ['http://127.0.0.1:9'] })],
      ['b', memoryRuntime()],
    ])
    const kinds = {
      runtimes: {
        zoned: ({ settings }: { settings: { zone?: unknown } }) => others.get(String(settings.zone)) ?? runtime,
      },
    }
    kiwi = await start({ kinds })
    await farAway('zoned')
    await kiwi.runtimes.update('far', { settings: { zone: 'a' } })
    const run = await kiwi.release('web', { environment: 'far', by: 'ana', ref: 'main', hold: true })
    await until(run, (event) => event.type === 'rollout' && event.phase === 'waiting' && event.ready === 1)
    await kiwi.runtimes.update('far', { settings: { zone: 'b' } })
    await kiwi.promote(run.id, { by: 'ana' })
    expect(await codeOf(run.result)).toBe('VERIFY_FAILED')
    expect(others.get('b')?.snapshot({ service: 'web', environment: 'far' }).fence).toBe(0)
  }, 15_000)
})

describe('a scale that finds no room', () => {
  it('does not put the image that runs well into quarantine', async () => {
    await released()
    health = 'never'
    runtime.refresh()
    await codeOf((await kiwi.scale('web', { ...asked, replicas: 4 })).result)
    expect(await kiwi.quarantine.list('web', 'production')).toEqual([])
  }, 12_000)
})

describe('a cancel', () => {
  it('is seen also after the store could not be read once', async () => {
    await kiwi.close()
    const inner = sqliteStore({ path: join(directory, 'kiwi.sqlite') })
    let failing = 0
    const store = {
      ...inner,
      commands: async (runId: string) => {
        if (failing-- > 0) throw new KiwiError('STORE_FAILED', 'busy')
        return inner.commands(runId)
      },
    }
    const memory = memoryBuilder()
    const slow = {
      ...memory,
      build: async (...[, , { signal }]: Parameters<typeof memory.build>) =>
        new Promise<never>((_, reject) => {
          const give = setTimeout(() => reject(new Error('never cancelled')), 4_000)
          signal.addEventListener('abort', () => {
            clearTimeout(give)
            reject(signal.reason)
          })
        }),
    }
    kiwi = await start({ store, builders: { memory: slow } })
    const run = await kiwi.build('web', { ref: 'main', by: 'ana' })
    await until(run, (event) => event.type === 'stage-started' && event.stage === 'build')
    failing = 1
    await wait(700)
    await kiwi.cancel(run.id, { by: 'ben' })
    expect(await codeOf(run.result)).toBe('CANCELLED')
  }, 12_000)
})

describe('a run whose store was busy', () => {
  it('when it was claimed goes on by itself', async () => {
    await kiwi.close()
    const inner = sqliteStore({ path: join(directory, 'kiwi.sqlite') })
    let busy = 1
    const claim: typeof inner.claim = async (...given) => {
      if (busy-- > 0) throw new KiwiError('STORE_FAILED', 'busy', { retryable: true })
      return inner.claim(...given)
    }
    kiwi = await start({ store: { ...inner, claim } })
    const run = await kiwi.build('web', { ref: 'main', by: 'ana' })
    await wait(100)
    expect((await run.result).status).toBe('succeeded')
  }, 6_000)

  it('when its commands were read goes on holding', async () => {
    await kiwi.close()
    const inner = sqliteStore({ path: join(directory, 'kiwi.sqlite') })
    let busy = 0
    const commands: typeof inner.commands = async (runId) => {
      if (busy-- > 0) throw new KiwiError('STORE_FAILED', 'busy', { retryable: true })
      return inner.commands(runId)
    }
    kiwi = await start({ store: { ...inner, commands } })
    const run = await kiwi.release('web', { ...asked, ref: 'main', hold: true })
    await until(run, (event) => event.type === 'rollout' && event.phase === 'waiting' && event.ready === 2)
    busy = 2
    await wait(500)
    await kiwi.promote(run.id, { by: 'ana' })
    expect((await run.result).status).toBe('succeeded')
  })
})

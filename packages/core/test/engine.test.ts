import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createKiwi,
  type Kiwi,
  KiwiError,
  type KiwiEvent,
  type KiwiOptions,
  type ServiceDefinition,
  sqliteStore,
} from '@kiwi/core'
import { type MemoryRuntime, memoryBuilder, memoryRegistry, memoryRuntime } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let directory: string
let repository: string
let runtime: MemoryRuntime
let registry: ReturnType<typeof memoryRegistry>
let health: 'ready' | 'crashes' | 'never'
let migration: 'succeeds' | 'fails'
let kiwi: Kiwi

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-engine-'))
  repository = join(directory, 'repository')
  execFileSync('git', ['init', '-q', '-b', 'main', repository])
  commit('first')
  health = 'ready'
  migration = 'succeeds'
  runtime = memoryRuntime({ health: () => health, task: () => migration })
  registry = memoryRegistry()
  kiwi = await start()
})

afterEach(async () => {
  await kiwi.close()
  rmSync(directory, { recursive: true })
})

async function start(options: Partial<KiwiOptions> = {}, changes: Partial<ServiceDefinition> = {}): Promise<Kiwi> {
  const created = await createKiwi({
    builders: { memory: memoryBuilder() },
    registries: { memory: registry },
    runtimes: { memory: runtime },
    store: sqliteStore({ path: join(directory, 'kiwi.sqlite') }),
    directory,
    ...options,
  })
  await created.services.register({ ...definition(), ...changes })
  return created
}

function definition(): ServiceDefinition {
  const environment = { runtime: 'memory', replicas: 2, readyWithinMs: 5_000, health: { path: '/' } }
  return {
    name: 'web',
    source: { git: repository },
    image: { registry: 'memory', repository: 'web', tag: '${SHORT_SHA}-${BUILD_NUMBER}' },
    environments: {
      production: { ...environment, strategy: 'blue-green' },
      staging: environment,
      gated: { ...environment, approval: true },
      migrated: { ...environment, strategy: 'recreate', beforeSwitch: { command: ['migrate'], schemaChange: true } },
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
const failure = async (run: Promise<{ readonly result: Promise<unknown> }>) => codeOf((await run).result)

describe('a build', () => {
  it('ends with its row: number, tag, digest, and the name people pull', async () => {
    const sha = commit('second').slice(0, 7)
    const build = await (await kiwi.build('web', { ref: 'main', by: 'ana' })).result
    expect(build).toMatchObject({ number: 1, status: 'succeeded', tag: `${sha}-1`, by: 'ana', ref: 'main' })
    expect(build.reference).toBe(`memory.test/web:${sha}-1`)
    expect(build.digest).toMatch(/^sha256:/)
    expect(await kiwi.builds('web')).toEqual([build])
  })

  it('that is not pushed can be pushed later', async () => {
    const built = await (await kiwi.build('web', { ref: 'main', by: 'ana', push: false })).result
    expect([built.status, built.reference]).toEqual(['succeeded', undefined])
    const pushed = await (await kiwi.push('web', { buildNumber: built.number, by: 'ana' })).result
    expect(pushed.reference).toBe(`memory.test/web:${pushed.tag}`)
    expect(await failure(kiwi.push('web', { buildNumber: 7, by: 'ana' }))).toBe('BUILD_UNKNOWN')
  })

  it('gets a number of its own, also of many at once and of failed ones', async () => {
    const good = Array.from({ length: 8 }, () => kiwi.build('web', { ref: 'main', by: 'ana' }))
    await Promise.all(good.map(async (run) => (await run).result))
    writeFileSync(join(repository, 'Dockerfile'), 'FROM\n')
    execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qam', 'broken'])
    const numbers = (await kiwi.builds('web')).map(({ number }) => number)
    expect(new Set(numbers).size).toBe(8)
  })

  it('with a rule that the run cannot fill is refused before anything is built', async () => {
    await kiwi.services.update('web', { image: { registry: 'memory', repository: 'web', tag: '${TAG}' } })
    expect(await failure(kiwi.build('web', { ref: 'main', by: 'ana' }))).toBe('INPUT_INVALID')
    expect((await kiwi.builds('web')).map(({ status }) => status)).toEqual(['failed'])
  })
})

describe('a deploy', () => {
  it('takes a tag, resolves it once and records the digest', async () => {
    const build = await (await kiwi.build('web', { ref: 'main', by: 'ana' })).result
    const release = await (await kiwi.deploy('web', { ...asked, image: build.tag ?? '' })).result
    expect(release).toMatchObject({ kind: 'deploy', number: 1, image: { digest: build.digest, tag: build.tag } })
    expect(shown().slots[0]?.digest).toBe(build.digest)
  })

  it('of an image that is not there changes nothing', async () => {
    expect(await failure(kiwi.deploy('web', { ...asked, image: 'nothing' }))).toBe('MANIFEST_UNKNOWN')
    expect(await failure(kiwi.deploy('web', { ...asked, image: 'elsewhere.test/x:1' }))).toBe('BASE_IMAGE_MISSING')
    expect(shown().slots).toEqual([])
  })

  it('of what another environment runs carries the digest over without building', async () => {
    const { image, commit: sha } = await released('staging')
    const advanced = await (await kiwi.advance('web', { ...asked, from: 'staging' })).result
    expect(advanced).toMatchObject({ kind: 'deploy', image, commit: sha })
    expect(await kiwi.builds('web')).toHaveLength(1)
    expect(await codeOf(kiwi.advance('web', { ...asked, from: 'gated' }))).toBe('NOTHING_DEPLOYED')
  })
})

describe('what runs', () => {
  it('is started again in new instances, scaled, and taken away; the history tells', async () => {
    await released()
    await (await kiwi.restart('web', { ...asked, reason: 'stuck' })).result
    expect(shown().route.slots).toEqual(['r2'])
    await (await kiwi.scale('web', { ...asked, replicas: 4 })).result
    expect(shown().slots.find(({ id }) => id === 'r2')?.instances).toHaveLength(4)
    await (await kiwi.undeploy('web', asked)).result
    expect([shown().slots, shown().route.slots]).toEqual([[], []])
    const rows = (await kiwi.history('web', 'production')).map(({ number, kind, replicas }) => [number, kind, replicas])
    expect(rows).toEqual([
      [1, 'release', 2],
      [2, 'restart', 2],
      [3, 'scale', 4],
      [4, 'undeploy', 0],
    ])
    expect(await failure(kiwi.restart('web', asked))).toBe('NOTHING_DEPLOYED')
  })

  it('is not what a rollback without a target brings back, also after a restart', async () => {
    const first = await released()
    commit('second')
    await released()
    await (await kiwi.restart('web', asked)).result
    expect((await (await kiwi.rollback('web', asked)).result).image).toEqual(first.image)
  })

  it('can be taken over from someone else, as release 0, and rolled back to', async () => {
    const { image } = await released('staging')
    const spec = (await kiwi.history('web', 'staging'))[0]?.spec
    if (!spec || !image) throw new Error('nothing was released')
    runtime.plant(
      { service: 'web', environment: 'production' },
      { name: 'old' },
      { image: `memory/web:${image.tag}`, replicas: 2, spec, notes: [] },
    )
    const adopted = await (await kiwi.adopt('web', { ...asked, selector: { name: 'old' } })).result
    expect(adopted).toMatchObject({ number: 0, kind: 'adopt', slot: 'r0', image: { digest: image.digest } })
    commit('second')
    await released()
    expect((await (await kiwi.rollback('web', asked)).result).of).toBe('web/production/0')
    expect(shown().route.slots).toEqual(['r0'])
  })
})

describe('one environment', () => {
  it('has one run at a time: the next waits and is told who has it since when', async () => {
    const first = await kiwi.release('web', { ...asked, ref: 'main', hold: true })
    const second = await kiwi.release('web', { ...asked, by: 'ben', ref: 'main' })
    for await (const event of second) {
      if (event.type !== 'run-waiting') continue
      expect(event.behind).toMatchObject([{ runId: first.id, by: 'ana' }])
      break
    }
    await kiwi.promote(first.id, { by: 'ana' })
    expect([(await first.result).number, (await second.result).number]).toEqual([1, 2])
  })

  it('refuses the next one under reject', async () => {
    const first = await kiwi.release('web', { ...asked, ref: 'main', hold: true })
    expect(await codeOf(kiwi.release('web', { ...asked, ref: 'main', policy: 'reject' }))).toBe('RUN_BUSY')
    await kiwi.promote(first.id, { by: 'ana' })
    await first.result
  })

  it('under supersede ends the ones that wait, and leaves the one that deploys alone', async () => {
    const first = await kiwi.release('web', { ...asked, ref: 'main', hold: true })
    await until(first, (event) => event.type === 'rollout' && event.phase === 'waiting' && event.ready === 2)
    const second = await kiwi.release('web', { ...asked, ref: 'main' })
    const third = await kiwi.release('web', { ...asked, ref: 'main', policy: 'supersede' })
    expect(await codeOf(second.result)).toBe('CANCELLED')
    await kiwi.promote(first.id, { by: 'ana' })
    expect([(await first.result).number, (await third.result).number]).toEqual([1, 2])
  })

  it('lets a run that waits be cancelled at once, and one that ended not at all', async () => {
    const first = await kiwi.release('web', { ...asked, ref: 'main', hold: true })
    const second = await kiwi.release('web', { ...asked, ref: 'main' })
    await kiwi.cancel(second.id, { by: 'ben' })
    expect(await codeOf(second.result)).toBe('CANCELLED')
    await kiwi.promote(first.id, { by: 'ana' })
    await first.result
    expect(await codeOf(kiwi.cancel(first.id, { by: 'ben' }))).toBe('RUN_ENDED')
  })

  it('that asks for approval waits for it, and can be cancelled meanwhile', async () => {
    const run = await kiwi.release('web', { ...asked, environment: 'gated', ref: 'main' })
    await until(run, (event) => event.type === 'run-waiting' && event.for === 'approval')
    expect(shown('gated').slots).toEqual([])
    await kiwi.approve(run.id, { by: 'eve' })
    expect((await run.result).status).toBe('succeeded')
    const other = await kiwi.release('web', { ...asked, environment: 'gated', ref: 'main' })
    await until(other, (event) => event.type === 'run-waiting' && event.for === 'approval')
    await kiwi.cancel(other.id, { by: 'eve' })
    expect(await codeOf(other.result)).toBe('CANCELLED')
  })
})

describe('beforeSwitch', () => {
  it('runs once before the first new instance, and marks the schema change that a rollback must not cross unasked', async () => {
    await released('migrated')
    commit('second')
    await released('migrated')
    const types = runtime.acts.map(({ type }) => type)
    expect(types.filter((type) => type === 'run-once')).toHaveLength(2)
    expect(types.indexOf('run-once')).toBeLessThan(types.indexOf('ensure-slot'))
    const back = { ...asked, environment: 'migrated' }
    expect(await failure(kiwi.rollback('web', back))).toBe('SCHEMA_CHANGE')
    expect((await kiwi.plan.rollback('web', back)).problems[0]?.code).toBe('SCHEMA_CHANGE')
    const release = await (await kiwi.rollback('web', { ...back, acceptSchemaChange: true })).result
    expect([release.number, release.slot]).toEqual([3, 'r1'])
    expect(runtime.acts.filter(({ type }) => type === 'run-once')).toHaveLength(2)
  })

  it('that fails leaves what ran in place, and says what its output was', async () => {
    await released('migrated')
    commit('second')
    migration = 'fails'
    const run = await kiwi.release('web', { ...asked, environment: 'migrated', ref: 'main' })
    expect(await codeOf(run.result)).toBe('TASK_FAILED')
    expect(shown('migrated').route.slots).toEqual(['r1'])
  })
})

describe('a digest that failed', () => {
  it('is not deployed there again unasked, until it is cleared or runs well', async () => {
    await released()
    commit('bad')
    health = 'crashes'
    const run = await kiwi.release('web', { ...asked, ref: 'main' })
    expect(await codeOf(run.result)).toBe('INSTANCE_CRASHED')
    health = 'ready'
    const [bad] = await kiwi.quarantine.list('web', 'production')
    const image = bad?.digest ?? ''
    expect(await failure(kiwi.deploy('web', { ...asked, image }))).toBe('QUARANTINED')
    expect((await kiwi.plan.deploy('web', { ...asked, image })).warnings.map(({ code }) => code)).toContain(
      'quarantined',
    )
    expect((await (await kiwi.deploy('web', { ...asked, image, acceptQuarantined: true })).result).status).toBe(
      'succeeded',
    )
    expect(await kiwi.quarantine.list('web', 'production')).toEqual([])
  })
})

describe('the registers', () => {
  it('keep entries in the store; a run waits for a kind that this process lacks, and goes on where it is there', async () => {
    await kiwi.runtimes.register({ name: 'far', kind: 'memory-kind', settings: { zone: 'a' } })
    expect((await kiwi.runtimes.list()).map(({ name, origin, available }) => [name, origin, available])).toEqual([
      ['memory', 'code', true],
      ['far', 'store', false],
    ])
    const { environments } = definition()
    await kiwi.services.update('web', {
      environments: { ...environments, far: { runtime: 'far', strategy: 'blue-green' } },
    })
    const run = await kiwi.release('web', { environment: 'far', ref: 'main', by: 'ana' })
    await until(run, (event) => event.type === 'run-waiting' && event.for === 'adapter')
    expect(await codeOf(kiwi.runtimes.remove('far'))).toBe('IN_USE')
    await kiwi.close()
    kiwi = await createKiwi({
      builders: { memory: memoryBuilder() },
      registries: { memory: registry },
      kinds: { runtimes: { 'memory-kind': () => runtime } },
      store: sqliteStore({ path: join(directory, 'kiwi.sqlite') }),
      directory,
    })
    const [resumed] = await kiwi.resume()
    expect(await resumed?.result).toMatchObject({ environment: 'far', status: 'succeeded' })
    expect(await kiwi.runtimes.get('far')).toMatchObject({ available: true, usedBy: ['web/far'] })
    await kiwi.runtimes.probe('far')
    expect((await kiwi.runtimes.get('far'))?.lastProbe).toMatchObject({ ok: true })
  })

  it('refuse what is no entry, and the name of one that is given in code', async () => {
    expect(await codeOf(kiwi.runtimes.register({ name: 'Far away', kind: 'x' }))).toBe('INPUT_INVALID')
    expect(await codeOf(kiwi.runtimes.register({ name: 'memory', kind: 'x' }))).toBe('INPUT_INVALID')
    expect(await codeOf(kiwi.registries.update('nobody', {}))).toBe('INPUT_INVALID')
  })

  it('do not let a service go while it runs, nor its environment', async () => {
    await released()
    const { production, ...others } = definition().environments
    expect(await codeOf(kiwi.services.update('web', { environments: others }))).toBe('IN_USE')
    const moved = { ...others, production: { ...production, runtime: 'elsewhere' } }
    expect(await codeOf(kiwi.services.update('web', { environments: moved }))).toBe('IN_USE')
    expect(await codeOf(kiwi.services.remove('web'))).toBe('IN_USE')
    await (await kiwi.undeploy('web', asked)).result
    expect([await kiwi.services.remove('web'), await kiwi.services.remove('web')]).toEqual([true, false])
  })
})

describe('what can be asked', () => {
  it('a plan says what would change, what is missing and how it could be undone, and changes nothing', async () => {
    const first = await kiwi.plan.release('web', { ...asked, ref: 'main' })
    expect(first.readinessAfterwards.class).toBe('impossible')
    expect(first.warnings.map(({ code }) => code)).toContain('first-release')
    await released()
    const sha = commit('second')
    const { environments } = definition()
    await kiwi.services.update('web', {
      environments: {
        ...environments,
        production: { ...environments.production, runtime: 'memory', replicas: 1, env: { A: { secret: 'NOT_THERE' } } },
      },
    })
    const plan = await kiwi.plan.release('web', { ...asked, ref: 'main' })
    expect(plan.problems.map(({ code }) => code)).toContain('SECRET_MISSING')
    expect(plan.changes.find(({ what }) => what.startsWith('commit'))?.to).toBe(sha)
    expect(plan.changes.find(({ what }) => what === 'env A')).toMatchObject({ from: null, to: 'secret NOT_THERE' })
    expect(plan.warnings.some(({ code, path }) => code === 'below-recommendation' && path?.includes('replicas'))).toBe(
      true,
    )
    expect((await kiwi.plan.release('web', { ...asked, ref: 'nowhere' })).problems[0]?.code).toBe('REF_NOT_FOUND')
    expect(await kiwi.history('web', 'production')).toHaveLength(1)
  })

  it('status shows what runs, what is under way, and what someone changed by hand', async () => {
    expect(await kiwi.status('web', 'production')).toMatchObject({ ready: 0, total: 0, waiting: [], drift: [] })
    await released()
    commit('second')
    await released()
    const status = await kiwi.status('web', 'production')
    expect(status).toMatchObject({ ready: 2, total: 2, current: { number: 2 }, drift: [] })
    expect(status.rollback).toMatchObject({ release: { number: 1 }, readiness: { class: 'instant' } })
    runtime.lose({ service: 'web', environment: 'production' }, 'r2')
    expect((await kiwi.status('web', 'production')).drift).toHaveLength(1)
  })

  it('readiness is impossible once the image is gone from the registry, and the rollback says so', async () => {
    const [first] = [await released('staging')]
    commit('second')
    await released('staging')
    commit('third')
    await released('staging')
    expect((await kiwi.readiness('web/staging/1')).class).toBe('cold')
    await registry.remove?.({ repository: 'web', reference: first?.image?.digest ?? '' }, undefined as never)
    expect((await kiwi.readiness('web/staging/1')).class).toBe('impossible')
    expect(await failure(kiwi.rollback('web', { ...asked, environment: 'staging', to: 1 }))).toBe('ROLLBACK_IMPOSSIBLE')
  })

  it('the feed gives every event of every run once, and goes on where a cursor stood', async () => {
    await released()
    const stop = new AbortController()
    const seen: { cursor: number; key: string }[] = []
    for await (const { cursor, event } of kiwi.feed({ signal: stop.signal })) {
      seen.push({ cursor, key: `${event.runId} ${event.seq}` })
      if (event.type === 'run-ended') break
    }
    expect(new Set(seen.map(({ key }) => key)).size).toBe(seen.length)
    const half = seen[Math.floor(seen.length / 2)]
    const rest: string[] = []
    for await (const { event } of kiwi.feed({ after: half?.cursor })) {
      rest.push(`${event.runId} ${event.seq}`)
      if (event.type === 'run-ended') break
    }
    expect(rest).toEqual(seen.slice(seen.findIndex(({ cursor }) => cursor === half?.cursor) + 1).map(({ key }) => key))
  })

  it('the doctor names every adapter and the tools that are run', async () => {
    const doctor = await kiwi.doctor()
    expect(doctor.adapters.map(({ part, name, ok }) => [part, name, ok])).toEqual([
      ['builder', 'memory', true],
      ['registry', 'memory', true],
      ['runtime', 'memory', true],
    ])
    expect(doctor.tools.find(({ name }) => name === 'git')?.path).toMatch(/git$/)
  })

  it('the source lists its branches and tags, and what changed', async () => {
    const from = execFileSync('git', ['-C', repository, 'rev-parse', 'HEAD']).toString().trim()
    const to = commit('second')
    expect((await Array.fromAsync(kiwi.source.refs('web'))).map(({ name }) => name)).toEqual(['main'])
    expect(await kiwi.source.changed('web', from, to)).toEqual(['Dockerfile'])
  })
})

async function until(run: AsyncIterable<KiwiEvent>, wanted: (event: KiwiEvent) => boolean): Promise<KiwiEvent> {
  for await (const event of run) if (wanted(event)) return event
  throw new Error('the run ended without it')
}

describe('what is asked wrongly', () => {
  it.each([
    ['a release without a ref', () => kiwi.release('web', { ...asked, ref: undefined as never })],
    ['a ref that is a number', () => kiwi.release('web', { ...asked, ref: 5 as never })],
    ['a ref that is an option', () => kiwi.build('web', { by: 'ana', ref: '--upload-pack=x' })],
    ['nobody who asks', () => kiwi.release('web', { ...asked, ref: 'main', by: '' })],
    ['a policy that there is not', () => kiwi.release('web', { ...asked, ref: 'main', policy: 'bogus' as never })],
    ['no instances', () => kiwi.scale('web', { ...asked, replicas: 0 })],
    ['an image that is nothing', () => kiwi.deploy('web', { ...asked, image: '' })],
  ])('%s is refused before a run is made', async (_, call) => {
    expect(await codeOf(call())).toBe('INPUT_INVALID')
    expect(await kiwi.runs()).toEqual([])
  })

  it('a closed Kiwi says so', async () => {
    await kiwi.close()
    expect(await codeOf(kiwi.release('web', { ...asked, ref: 'main' }))).toBe('CLOSED')
  })
})

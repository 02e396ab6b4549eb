import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Json } from '../contracts/v1/json.js'
import type { Registry } from '../contracts/v1/registry.js'
import type { Store } from '../contracts/v1/store.js'
import { mediaTypes } from '../image/manifest.js'
import type { Engine } from '../journal/engine.js'
import type { Build, Release } from '../model/release.js'
import type { RunRequest } from '../model/run.js'
import { createRedactor } from '../secrets/redactor.js'
import { memoryStore } from '../stores/memory/index.js'
import { testContext } from '../testing/context.js'
import { type MemoryRegistry, memoryRegistry } from '../testing/memory-registry.js'
import { testClock } from '../testing/test-clock.js'
import { builds as buildsOf } from './builds.js'
import { type Pruned, type PrunePolicy, prune } from './prune.js'

const services = ['api', 'web', 'old']
const environments = ['production', 'staging']
const repositoryOf: Readonly<Record<string, string>> = { api: 'team/shared', web: 'team/shared', old: 'team/old' }
const imageCount = 40

interface PlannedRelease {
  readonly service: string
  readonly environment: string
  readonly image: number
  readonly kind: 'release' | 'rollback' | 'restart' | 'undeploy' | 'adopt' | 'deploy'
  readonly failed: boolean
}

interface World {
  readonly releases: readonly PlannedRelease[]
  readonly builds: readonly { readonly service: string; readonly image: number; readonly pruned: boolean }[]
  readonly open: readonly {
    readonly service: string
    readonly by: 'digest' | 'tag' | 'rollback'
    readonly which: number
  }[]
  /** Indexes of two of the images each: they are images `imageCount`, `imageCount + 1`, … */
  readonly indexes: readonly (readonly [number, number])[]
  /** Images that someone gave the tag `stable-N`. */
  readonly foreign: readonly number[]
  readonly deleted: boolean
  readonly keepBuilds: number
}

const image = fc.nat(imageCount + 1)
const worlds: fc.Arbitrary<World> = fc.record({
  releases: fc.array(
    fc.record({
      service: fc.constantFrom(...services),
      environment: fc.constantFrom(...environments),
      image,
      kind: fc.constantFrom('release', 'rollback', 'restart', 'undeploy', 'adopt', 'deploy'),
      failed: fc.boolean(),
    }),
    { maxLength: 60, size: 'max' },
  ),
  builds: fc.array(fc.record({ service: fc.constantFrom(...services), image, pruned: fc.boolean() }), {
    maxLength: 60,
    size: 'max',
  }),
  open: fc.array(
    fc.record({
      service: fc.constantFrom('api', 'web'),
      by: fc.constantFrom('digest', 'tag', 'rollback'),
      which: fc.nat(30),
    }),
    { maxLength: 2 },
  ),
  indexes: fc.tuple(
    fc.tuple(fc.nat(imageCount - 1), fc.nat(imageCount - 1)),
    fc.tuple(fc.nat(imageCount - 1), fc.nat(imageCount - 1)),
  ),
  foreign: fc.array(fc.nat(imageCount - 1), { maxLength: 2 }),
  deleted: fc.boolean(),
  keepBuilds: fc.nat(3),
})

interface Bench {
  readonly engine: Engine
  readonly store: Store
  readonly registry: MemoryRegistry
  readonly digests: readonly string[]
  readonly releases: readonly Release[]
}

describe('an applied prune', () => {
  it('removes exactly what nothing needs, whatever has happened', async () => {
    let removed = 0
    await fc.assert(
      fc.asyncProperty(worlds, async (world) => {
        const bench = await built(world)
        const before = stock(bench)
        const answer = await pruned(bench, { keepBuilds: world.keepBuilds, apply: true })
        expect(answer.failed).toEqual([])
        const after = stock(bench)
        const gone = before.filter((place) => !after.includes(place))
        expect(gone.filter((place) => neededBy(world, bench).has(place))).toEqual([])
        expect(new Set(after)).toEqual(new Set(before.filter((place) => !mayGo(world, bench, before).has(place))))
        await truthful(bench)
        removed += gone.length
      }),
      { numRuns: 150 },
    )
    expect(removed).toBeGreaterThan(100)
  }, 20_000)

  it('that was killed leaves builds that tell the truth, and the next one finishes', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, fc.nat(4), fc.boolean(), async (world, dies, after) => {
        const bench = await built(world)
        const whole = await built(world)
        await pruned(whole, { keepBuilds: world.keepBuilds, apply: true })
        const { registry } = bench
        const { remove } = registry
        const killed = new AbortController()
        let calls = 0
        registry.remove = async (place, context) => {
          const dying = calls === dies
          calls += 1
          if (dying && !after) killed.abort(new Error('killed'))
          killed.signal.throwIfAborted()
          const answer = await remove(place, context)
          if (dying) killed.abort(new Error('killed'))
          killed.signal.throwIfAborted()
          return answer
        }
        const context = { ...testContext(), signal: killed.signal }
        await prune(bench.engine, { keepBuilds: world.keepBuilds, apply: true }, context).catch(() => undefined)
        for (const build of await allBuilds(bench.store))
          if (build.pruned && !wasPruned(world, build)) expect(stock(bench)).not.toContain(placeOf(build))
        registry.remove = remove
        await pruned(bench, { keepBuilds: world.keepBuilds, apply: true })
        expect(stock(bench)).toEqual(stock(whole))
        await truthful(bench)
      }),
      { numRuns: 60 },
    )
  }, 20_000)

  it('says the same without being applied, and removes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async (world) => {
        const bench = await built(world)
        const before = stock(bench)
        const told = await pruned(bench, { keepBuilds: world.keepBuilds })
        expect(stock(bench)).toEqual(before)
        expect(told.protected).toEqual([])
        const done = await pruned(bench, { keepBuilds: world.keepBuilds, apply: true })
        expect([done.images, done.kept]).toEqual([told.images, told.kept])
        expect(done.kept.every(({ because }) => because !== '')).toBe(true)
      }),
      { numRuns: 30 },
    )
  }, 20_000)
})

describe('prune', () => {
  const quiet: World = { releases: [], builds: [], open: [], indexes: [], foreign: [], deleted: false, keepBuilds: 0 }
  const builtOf = (service: string, ...images: number[]) => images.map((of) => ({ service, image: of, pruned: false }))
  const released = (of: number, environment = 'production') =>
    ({ service: 'web', environment, image: of, kind: 'release', failed: false }) as const

  it('keeps older images that restarts would push out', async () => {
    const restarts = Array.from({ length: 11 }, () => ({ ...released(2), kind: 'restart' }) as const)
    const world = { ...quiet, builds: builtOf('web', 0, 1, 2, 3), releases: [released(0), released(1), ...restarts] }
    const bench = await built(world)
    const { images } = await pruned(bench, { keepBuilds: 0 })
    expect(images.map(({ digest }) => digest)).toEqual([bench.digests[3]])
  })

  it('keeps what a waiting rollback is to bring back, however old', async () => {
    const many = Array.from({ length: 13 }, (_, index) => index)
    const releases = many.map((of) => released(of))
    const world = { ...quiet, builds: builtOf('web', ...many), releases }
    expect((await pruned(await built(world), { keepBuilds: 0 })).images).toHaveLength(3)
    const bench = await built({ ...world, open: [{ service: 'web', by: 'rollback', which: 1 }] })
    const { images } = await pruned(bench, { keepBuilds: 0 })
    expect(images.map(({ digest }) => digest)).toEqual([bench.digests[1], bench.digests[2]])
  })

  it('keeps the parts of an index that a run is about to deploy', async () => {
    const bench = await built({
      ...quiet,
      builds: builtOf('web', 0, 1, 2),
      indexes: [[0, 1]],
      open: [{ service: 'web', by: 'digest', which: imageCount }],
    })
    const { images, kept } = await pruned(bench, { keepBuilds: 0, apply: true })
    expect(images.map(({ digest }) => digest)).toEqual([bench.digests[2]])
    const because = `part of the index ${bench.digests[imageCount]}, which is needed`
    expect(kept.map((one) => one.because)).toEqual([because, because])
  })

  it('keeps what a runtime still has in a slot', async () => {
    const bench = await built({ ...quiet, builds: builtOf('web', 0, 1) })
    const image = { registry: 'memory', repository: 'team/shared' }
    const value = { name: 'web', source: { directory: '/' }, image, environments: { production: { runtime: 'one' } } }
    await bench.store.documents.put({ kind: 'service', key: 'web', value })
    const runtime = {
      async *observe() {
        yield { slots: [{ id: 'web-1', digest: bench.digests[0] }] }
      },
    }
    const adapters = { ...bench.engine.adapters, runtimes: { get: async () => runtime } }
    const engine = { ...bench.engine, adapters } as unknown as Engine // prune uses nothing else
    const { images, kept } = await pruned({ ...bench, engine }, { keepBuilds: 0, apply: true })
    expect(images.map(({ digest }) => digest)).toEqual([bench.digests[1]])
    expect(kept.map(({ because }) => because)).toEqual(['the slot web-1 of web in production has it'])
  })

  it('says why each image stays', async () => {
    const world = { ...quiet, builds: builtOf('web', 0, 1, 2, 3), releases: [released(0), released(1)] }
    const { kept, images } = await pruned(await built(world), { keepBuilds: 1 })
    expect(kept.map(({ because }) => because).toSorted()).toEqual([
      'one of the newest 1 builds of web',
      'release 1 of web in production, which a rollback would bring back',
      'the current release 2 of web in production',
    ])
    expect(images.map(({ reference }) => reference)).toEqual(['memory.test/team/shared:main-0000002'])
  })

  it('names all needed digests of a shared repository in one call before it removes', async () => {
    const bench = await built({ ...quiet, builds: [...builtOf('web', 0, 1), ...builtOf('api', 2, 3)] })
    const calls: string[] = []
    const { protect, remove } = bench.registry
    bench.registry.protect = async (repository, digests, context) => {
      calls.push(`protect ${[...digests].sort().join()}`)
      return protect(repository, digests, context)
    }
    bench.registry.remove = async (place, context) => {
      calls.push('remove')
      return remove(place, context)
    }
    await pruned(bench, { service: 'web', keepBuilds: 1, apply: true })
    const union = [bench.digests[1], bench.digests[3]].sort().join()
    expect(calls).toEqual([`protect ${union}`, 'remove'])
  })

  it('removes nothing of a repository that could not be protected', async () => {
    const bench = await built({ ...quiet, builds: builtOf('web', 0, 1) })
    const before = stock(bench)
    bench.registry.protect = async () => {
      throw new Error('the robot may not')
    }
    const { failed, images } = await pruned(bench, { keepBuilds: 1, apply: true })
    expect([failed.length, images]).toEqual([1, []])
    expect(failed[0]?.because).toContain('could not be protected')
    expect(stock(bench)).toEqual(before)
    expect((await pruned(bench, { keepBuilds: 1, apply: true, protect: false })).images).toHaveLength(1)
  })

  it('keeps what a run that began after the look needs', async () => {
    const bench = await built({ ...quiet, builds: builtOf('web', 0, 1, 2) })
    const { remove } = bench.registry
    let first = true
    bench.registry.remove = async (place, context) => {
      if (first) await accept(bench.store, { service: 'web', image: bench.digests[1] ?? '' })
      first = false
      return remove(place, context)
    }
    const { images, kept } = await pruned(bench, { keepBuilds: 1, apply: true })
    expect(images.map(({ digest }) => digest)).toEqual([bench.digests[0]])
    expect(kept.find(({ digest }) => digest === bench.digests[1])?.because).toBe('a run that has not ended mentions it')
  })

  it('of the whole repository removes what is tagged by the rule only, never tags of others', async () => {
    const bench = await built({ ...quiet, foreign: [1] })
    const { tags, manifests } = bench.registry.images('team/shared')
    const tag = (name: string, of: number) => {
      const found = manifests.get(bench.digests[of] ?? '')
      if (found) tags.set(name, found)
    }
    tag('main-abcdef0', 0)
    tag('main-abcdef1', 1)
    tag('v1.2', 2)
    tag('kiwi-keep-000000000000', 0)
    const { images, kept } = await pruned(bench, { images: 'repository', apply: true })
    expect(images.map(({ reference }) => reference)).toEqual(['memory.test/team/shared:main-abcdef0'])
    expect(kept.map(({ because }) => because)).toEqual([
      'the tag stable-1 is not one that Kiwi gives there',
      'the tag v1.2 is not one that Kiwi gives there',
    ])
    expect([...tags.keys()].toSorted()).toEqual(['main-abcdef1', 'stable-1', 'v1.2'])
  })

  it('leaves a repository alone that cannot be read', async () => {
    const bench = await built({ ...quiet, builds: builtOf('web', 0, 1) })
    const broken: Registry['tags'] = async function* () {
      yield* []
      throw new Error('no right to list')
    }
    bench.registry.tags = broken
    const { images, failed } = await pruned(bench, { keepBuilds: 1, apply: true })
    expect(images).toEqual([])
    expect(failed[0]?.because).toContain('no right to list')
  })

  it('keeps what is younger than asked, and refuses a policy that is none', async () => {
    const bench = await built({ ...quiet, builds: builtOf('web', 0, 1) })
    expect((await pruned(bench, { keepBuilds: 0, olderThanDays: 1 })).images).toEqual([])
    expect((await pruned(bench, { keepBuilds: 0 })).images).toHaveLength(2)
    for (const policy of [{ keepBuilds: -1 }, { keepRuns: 0.5 }, { olderThanDays: Number.NaN }])
      await expect(pruned(bench, policy)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })

  it('of one environment considers only what was released there and nowhere else', async () => {
    const many = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    const releases = [...many.map((of) => released(of, 'staging')), released(1), released(2)]
    const bench = await built({ ...quiet, builds: builtOf('web', ...many, 13), releases })
    const { images } = await pruned(bench, { environment: 'staging', keepBuilds: 0 })
    expect(images.map(({ digest }) => digest)).toEqual([bench.digests[0]])
  })
})

function pruned({ engine }: Bench, policy: PrunePolicy): Promise<Pruned> {
  return prune(engine, policy, testContext())
}

/** What lies where. */
function stock({ registry }: Bench): string[] {
  return [...new Set(Object.values(repositoryOf))].flatMap((repository) =>
    [...registry.images(repository).manifests.keys()].map((digest) => `${repository}@${digest}`),
  )
}

function placeOf({ service, image: of }: Build): string {
  return `${repositoryOf[service]}@${of?.digest}`
}

/** Told without any of the code under test: one rule after the other, slow and plain. */
function neededBy(world: World, { digests, releases }: Bench): ReadonlySet<string> {
  const everywhere = [...new Set(Object.values(repositoryOf))]
  const places = new Set<string>()
  const lying = new Set<string>()
  /** The digest stays in every repository; its parts where it is known, or may be, to lie. */
  const need = (of: string | undefined, service?: string) => {
    for (const repository of of === undefined ? [] : everywhere) {
      places.add(`${repository}@${of}`)
      if (service === undefined || repositoryOf[service] === repository) lying.add(`${repository}@${of}`)
    }
  }
  for (const service of services)
    for (const environment of environments) {
      const good = releases.filter(
        (one) =>
          one.service === service &&
          one.environment === environment &&
          one.status === 'succeeded' &&
          one.kind !== 'undeploy',
      )
      for (const { image: of } of good.slice(-10)) need(of?.digest, service)
      const newestFirst = [...new Set(good.toReversed().map(({ image: of }) => of?.digest))]
      for (const digest of newestFirst.slice(0, 10)) need(digest, service)
    }
  for (const service of services) {
    const made = world.builds.filter((one) => one.service === service && !one.pruned)
    for (const one of made.slice(Math.max(made.length - world.keepBuilds, 0))) need(digests[one.image], service)
  }
  for (const { service, by, which } of world.open) {
    if (by === 'digest') need(digests[which % digests.length])
    if (by === 'tag') for (const one of world.builds) if (one.image === which) need(digests[one.image], one.service)
    if (by === 'rollback')
      for (const one of releases)
        if (one.service === service && one.environment === 'production' && one.number === which)
          need(one.image?.digest, service)
  }
  for (const of of world.foreign) places.add(`team/shared@${digests[of]}`)
  world.indexes.forEach((parts, index) => {
    for (const repository of Object.values(repositoryOf))
      if (lying.has(`${repository}@${digests[imageCount + index]}`))
        for (const part of parts) places.add(`${repository}@${digests[part]}`)
  })
  return places
}

function mayGo(world: World, bench: Bench, before: readonly string[]): ReadonlySet<string> {
  const needed = neededBy(world, bench)
  const living = (service: string) => service !== 'old' || !world.deleted
  const recorded = world.builds.filter(({ pruned: gone }) => !gone)
  const ofTheDead = new Set(recorded.filter(({ service }) => !living(service)).map((one) => bench.digests[one.image]))
  const places = recorded
    .filter(({ service, image: of }) => living(service) && !ofTheDead.has(bench.digests[of]))
    .map(({ service, image: of }) => `${repositoryOf[service]}@${bench.digests[of]}`)
  return new Set(places.filter((place) => before.includes(place) && !needed.has(place)))
}

async function allBuilds(store: Store): Promise<readonly Build[]> {
  return (await Promise.all(services.map((service) => buildsOf(store, service)))).flat()
}

async function truthful(bench: Bench): Promise<void> {
  const there = stock(bench)
  for (const build of await allBuilds(bench.store)) if (!build.pruned) expect(there).toContain(placeOf(build))
}

function wasPruned(world: World, { number }: Build): boolean {
  return world.builds[number - 1]?.pruned === true
}

async function built(world: World): Promise<Bench> {
  const store = memoryStore()
  const registry = memoryRegistry()
  const digests = await fill(registry, world)
  const releases = releasesOf(world, digests)
  for (const name of services) {
    if (name === 'old' && world.deleted) continue
    const value = {
      name,
      source: { directory: '/' },
      image: { registry: 'memory', repository: repositoryOf[name] ?? '' },
      environments: {},
    }
    await store.documents.put({ kind: 'service', key: name, value })
  }
  for (const release of releases)
    await store.documents.put({ kind: 'release', key: release.id, value: release as unknown as Json })
  for (const [index, one] of world.builds.entries()) {
    const build = buildOf(one.service, index + 1, one.image, digests[one.image] ?? '', one.pruned)
    const key = `${one.service}/${String(index + 1).padStart(9, '0')}`
    await store.documents.put({ kind: 'build', key, value: build as unknown as Json })
  }
  for (const { service, by, which } of world.open) {
    const named = by === 'digest' ? digests[which % digests.length] : `registry/team:${tagOf(which)}`
    await accept(store, by === 'rollback' ? { service, to: which } : { service, image: named ?? '' })
  }
  const adapters = {
    registries: { get: async () => registry, names: async () => ['memory'] },
    runtimes: { get: () => Promise.reject(new Error('none')) },
  }
  const engine = { store, adapters, clock: testClock(), redactor: createRedactor() } as unknown as Engine // prune uses nothing else
  return { engine, store, registry, digests, releases }
}

/** All images lie in all repositories. */
async function fill(registry: MemoryRegistry, { indexes, foreign }: World): Promise<string[]> {
  const digests: string[] = []
  const put = async (content: Json, mediaType: string) => {
    const bytes = new TextEncoder().encode(JSON.stringify(content))
    for (const repository of new Set(Object.values(repositoryOf)))
      digests.push((await registry.sink(repository).manifest(bytes, { mediaType }, testContext())).digest)
    digests.pop()
  }
  for (let index = 0; index < imageCount; index++) await put({ layers: [], config: {}, index }, mediaTypes.manifest)
  for (const [index, parts] of [...indexes, [0, 1] as const, [2, 3] as const].slice(0, 2).entries()) {
    const manifests = parts.map((part) => ({ mediaType: mediaTypes.manifest, digest: digests[part] ?? '', size: 1 }))
    await put({ manifests, index }, mediaTypes.index)
  }
  const { tags, manifests } = registry.images('team/shared')
  for (const of of foreign) {
    const found = manifests.get(digests[of] ?? '')
    if (found) tags.set(`stable-${of}`, found)
  }
  return digests
}

function tagOf(of: number): string {
  return `main-${of.toString(16).padStart(7, '0')}`
}

function releasesOf({ releases }: World, digests: readonly string[]): Release[] {
  const numbers = new Map<string, number>()
  return releases.map(({ service, environment, image: of, kind, failed }, index) => {
    const place = `${service}/${environment}`
    const number = (numbers.get(place) ?? 0) + 1
    numbers.set(place, number)
    const record = { registry: 'memory', repository: repositoryOf[service] ?? '', digest: digests[of] ?? '' }
    const release = {
      ...{ id: `${place}/${number}`, service, environment, number, kind, status: failed ? 'failed' : 'succeeded' },
      ...{ runId: `release-${index}`, image: kind === 'undeploy' ? undefined : record, spec: {} },
    }
    return release as unknown as Release // what prune reads of it
  })
}

function buildOf(service: string, number: number, of: number, digest: string, gone: boolean): Build {
  const tag = tagOf(of)
  const repository = repositoryOf[service] ?? ''
  const image = { registry: 'memory', repository, tag, digest }
  const reference = `memory.test/${repository}:${tag}`
  const build = { service, number, runId: `build-${number}`, status: 'succeeded', startedAt: testClock().now() }
  return { ...build, tag, reference, image, digest, pruned: gone || undefined } as unknown as Build // what prune reads of it
}

let runs = 0
async function accept(
  store: Store,
  { service, ...asked }: { readonly service: string; readonly image?: string; readonly to?: number },
) {
  runs += 1
  const kind = asked.to === undefined ? 'deploy' : 'rollback'
  const request = { kind, service, environment: 'production', by: 'ana', ...asked } as unknown as RunRequest // what prune reads of it
  await store.accept({ runId: `open-${runs}`, scope: `scope-${runs}`, request, nowMs: 1 })
}

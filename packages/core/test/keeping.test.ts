import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKiwi, type Kiwi, KiwiError, type KiwiEvent, pipe, type Registry, sqliteStore } from '@kiwi/core'
import {
  type MemoryRegistry,
  memoryBuilder,
  memoryRegistry,
  memoryRuntime,
  memorySource,
  randomImage,
  testContext,
} from '@kiwi/core/testing'
import { afterEach, beforeEach, expect, it } from 'vitest'

const repository = 'team/shared'
let directory: string
let source: ReturnType<typeof memorySource>
let registry: MemoryRegistry
let asked: string[][]
let kiwi: Kiwi

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-keeping-'))
  source = memorySource({ directory })
  registry = watched(memoryRegistry())
  kiwi = await start()
})

afterEach(async () => {
  await kiwi.close()
  rmSync(directory, { recursive: true })
})

/** Notes what it is asked to keep. */
function watched(inner: MemoryRegistry): MemoryRegistry {
  asked = []
  const { protect } = inner
  inner.protect = async (place, digests, context) => {
    asked.push([...digests].sort())
    return protect(place, digests, context)
  }
  return inner
}

async function start(onKillPoint?: (point: { readonly name: string }) => void): Promise<Kiwi> {
  const created = await createKiwi({
    builders: { memory: memoryBuilder() },
    registries: { memory: registry },
    runtimes: { memory: memoryRuntime() },
    source: () => source,
    store: sqliteStore({ path: join(directory, 'kiwi.sqlite') }),
    directory,
    ...(onKillPoint && { onKillPoint }),
  })
  const environment = { runtime: 'memory', replicas: 1, health: { type: 'tcp' }, publish: { protocol: 'tcp' } } as const
  for (const name of ['web', 'api'])
    await created.services.register({
      name,
      source: { directory },
      image: { registry: 'memory', repository, tag: `${name}-\${BUILD_NUMBER}` },
      environments: { production: environment, staging: environment },
    })
  return created
}

async function released(service = 'web', environment = 'production') {
  source.commit('main', { Dockerfile: `FROM scratch\nLABEL at=${performance.now()}\n` })
  const run = await kiwi.release(service, { environment, ref: 'main', by: 'ana' })
  const { image } = await run.result
  const events: KiwiEvent[] = await Array.fromAsync(run)
  return { digest: image?.digest ?? '', warnings: events.filter((event) => event.type === 'warning') }
}

const kept = () => [...registry.protected(repository)].sort()

it('has the registry keep what all services and environments need there, in one call for each release', async () => {
  const all = [await released(), await released('web', 'staging'), await released('api')]
  expect(kept()).toEqual(all.map(({ digest }) => digest).sort())
  expect(asked).toHaveLength(3)
})

it('asks nothing where nothing changed, also by a restart or by one process after the other', async () => {
  const { digest } = await released()
  await (await kiwi.restart('web', { environment: 'production', by: 'ana' })).result
  await kiwi.close()
  kiwi = await start()
  await (await kiwi.restart('web', { environment: 'production', by: 'ana' })).result
  expect(asked).toEqual([[digest]])
})

it('lets go of what falls out of those kept, unless another environment needs it', async () => {
  const first = await released()
  const shared = await released()
  await (await kiwi.advance('web', { from: 'production', environment: 'staging', by: 'ana' })).result
  const later: string[] = []
  for (let count = 0; count < 10; count += 1) later.push((await released()).digest)
  expect(kept()).toEqual([shared.digest, ...later].sort())
  expect(kept()).not.toContain(first.digest)
})

it('asks again when another process recorded a release while it was asked', async () => {
  const { protect } = registry
  let other: Promise<{ readonly digest: string }> | undefined
  let told = () => {}
  const recorded = new Promise<void>((resolve) => {
    told = resolve
  })
  registry.protect = async (place, digests, context) => {
    if (other) return protect(place, digests, context).finally(told)
    other = released('api')
    await recorded
    return protect(place, digests, context) // too late: it does not name what the other one released
  }
  const { digest } = await released()
  expect(kept()).toEqual([digest, (await other)?.digest ?? ''].sort())
})

it('that fails is a warning and no failed release; the doctor shows it until a prune or a release cures it', async () => {
  const { protect } = registry
  const refusing: Registry['protect'] = async () => {
    throw new KiwiError('REGISTRY_DENIED', 'the robot may not tag')
  }
  registry.protect = refusing as typeof protect
  const { warnings } = await released()
  const because = 'the robot may not tag'
  expect(warnings).toMatchObject([{ error: { code: 'IMAGE_UNPROTECTED', evidence: { because } }, stage: 'record' }])
  expect((await kiwi.doctor()).unprotected).toEqual([{ address: `memory.test/${repository}`, because }])
  registry.protect = protect
  await kiwi.prune({ apply: true })
  expect((await kiwi.doctor()).unprotected).toEqual([])
  registry.protect = refusing as typeof protect
  await released()
  registry.protect = protect
  expect((await released()).warnings).toEqual([])
  expect((await kiwi.doctor()).unprotected).toEqual([])
})

it('names each image that the registry does not have', async () => {
  const { protect } = registry
  registry.protect = async (place, digests, context) => {
    for (const digest of digests) registry.images(place).manifests.delete(digest)
    return protect(place, digests, context)
  }
  const { digest, warnings } = await released()
  expect(warnings).toMatchObject([{ error: { evidence: { digest, because: 'it is not there' } } }])
  expect((await kiwi.doctor()).proposals).toContain(`have ${digest} in memory.test/${repository} kept: it is not there`)
})

it('is repeated by the process that goes on with a run that stopped after its release was recorded', async () => {
  const { protect } = registry
  registry.protect = async (place, digests, context) => {
    await protect(place, digests, context)
    return new Promise(() => undefined) // the answer never comes
  }
  const left = released().catch(() => undefined)
  await expect.poll(() => asked.length).toBe(1)
  await kiwi.close()
  await left
  registry.protect = protect
  kiwi = await start()
  const results = await Promise.all((await kiwi.resume()).map((run) => run.result))
  expect(results).toMatchObject([{ number: 1, status: 'succeeded' }])
  expect(asked).toHaveLength(2)
  expect(asked[1]).toEqual(asked[0])
})

it('costs nothing where the registry protects nothing', async () => {
  const { protect: _, ...plain } = registry
  registry = plain as MemoryRegistry
  await kiwi.close()
  kiwi = await start()
  expect((await released()).warnings).toEqual([])
  expect(asked).toEqual([])
})

it('leaves images of other people, which are only deployed, to them', async () => {
  const other = await pipe(
    await randomImage({ layers: 1 }),
    registry.sink('library/proxy'),
    { tag: 'v1' },
    testContext(),
  )
  const image = `memory.test/library/proxy@${other.digest}`
  await (await kiwi.deploy('web', { environment: 'staging', image, by: 'ana' })).result
  expect(asked).toEqual([])
})

it('does not let go of the builds that a prune has protected', async () => {
  source.commit('main', { Dockerfile: 'FROM scratch\nLABEL only=built\n' })
  const built = await (await kiwi.build('web', { ref: 'main', by: 'ana' })).result
  const { digest } = await released()
  expect(kept()).toEqual([digest])
  await kiwi.prune({ apply: true })
  const next = await released()
  expect(kept()).toEqual([built.digest ?? '', digest, next.digest].sort())
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type BuildIo,
  type BuildRequest,
  type BuildSettings,
  createKiwi,
  KiwiError,
  pipe,
  secret,
  sqliteStore,
} from '@kiwi/core'
import {
  memoryBuilder,
  memoryRegistry,
  memoryRuntime,
  memorySource,
  randomImage,
  testContext,
} from '@kiwi/core/testing'
import { afterEach, beforeEach, expect, it } from 'vitest'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-build-settings-'))
})

afterEach(() => rmSync(directory, { recursive: true }))

interface Seen {
  readonly request: BuildRequest
  readonly io: BuildIo
  readonly secrets: Readonly<Record<string, string>>
}

/** Builds a service with these settings and says what its builder was given. */
async function seen(build: BuildSettings, registry = memoryRegistry()): Promise<Seen> {
  const inner = memoryBuilder()
  let given: Seen | undefined
  const builder: typeof inner = {
    ...inner,
    async build(request, io, context) {
      const secrets: Record<string, string> = {}
      for (const [id, reference] of Object.entries(request.secrets ?? {}))
        await context.secret(reference, async (value) => {
          secrets[id] = value
        })
      given = { request, io, secrets }
      return inner.build(request, io, context)
    },
  }
  const source = memorySource({ directory })
  source.commit('main', { Dockerfile: 'FROM scratch\n' })
  await using kiwi = await createKiwi({
    builders: { memory: builder },
    registries: { memory: registry },
    runtimes: { memory: memoryRuntime() },
    source: () => source,
    store: sqliteStore({ path: join(directory, 'kiwi.sqlite') }),
    directory,
    secrets: (name) => (name === 'NPMRC' ? 'the npm token' : undefined),
  })
  await kiwi.services.register({
    name: 'web',
    source: { directory },
    build,
    image: { registry: 'memory', repository: 'team/web' },
    environments: { production: { runtime: 'memory' } },
  })
  await (await kiwi.build('web', { ref: 'main', by: 'ana' })).result
  if (given === undefined) throw new TypeError('the builder was not asked')
  return given
}

it('secrets come by reference, and their values only through the context', async () => {
  const { request, secrets } = await seen({ secrets: { npmrc: secret('NPMRC') } })
  expect(request.secrets).toEqual({ npmrc: { secret: 'NPMRC' } })
  expect(JSON.stringify(request)).not.toContain('the npm token')
  expect(secrets).toEqual({ npmrc: 'the npm token' })
})

it('a secret that is missing ends the run before the builder is asked', async () => {
  const failure = await seen({ secrets: { npmrc: secret('ELSE') } }).catch(KiwiError.from)
  expect(failure).toMatchObject({ code: 'SECRET_MISSING' })
})

it('named contexts are directories of the repository', async () => {
  expect((await seen({ contexts: { shared: 'packages/shared' } })).request.contexts).toEqual({
    shared: 'packages/shared',
  })
  const failure = await seen({ contexts: { shared: '../else' } }).catch(KiwiError.from)
  expect(failure).toMatchObject({ code: 'INPUT_INVALID' })
})

it('a cache is not used when it is off, and no registry holds one unless asked', async () => {
  const off = await seen({ cache: { mode: 'off' } })
  expect(off.request.cache).toBe('off')
  const layer = await seen({ cache: { mode: 'layer' } })
  expect([layer.request.cache, layer.io.cache]).toEqual([undefined, undefined])
})

it.each<[string, BuildSettings, string]>([
  ['beside the image', { cache: { mode: 'registry' } }, 'team/web'],
  ['in a repository of its own', { cache: { mode: 'registry', repository: 'team/cache' } }, 'team/cache'],
])('a cache in the registry lies %s', async (_, settings, repository) => {
  const registry = memoryRegistry()
  const context = testContext()
  const { io } = await seen(settings, registry)
  const [open] = io.cache?.from ?? []
  expect(await open?.()).toBeUndefined()
  const { to } = io.cache ?? {}
  if (to === undefined) throw new TypeError('there is no place to write to')
  const image = await randomImage()
  await pipe(image, to.sink, { tag: to.tag }, context)
  expect((await open?.())?.root.digest).toBe(image.root.digest)
  expect(await registry.resolve({ repository, reference: to.tag }, context)).toMatchObject({
    digest: image.root.digest,
  })
})

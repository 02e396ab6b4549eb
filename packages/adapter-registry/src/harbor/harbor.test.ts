import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { digestOf, KiwiError, mediaTypes, pipe } from '@kiwi/core'
import { memoryImages, testContext } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { chunksOf, randomImage } from '../testing/image.js'
import { type HarborOptions, harbor } from './index.js'
import { robotAccess } from './robots.js'
import { type FakeHarbor, fakeHarbor } from './testing/fake-harbor.js'

const secrets = { RIGHT: 'Right-Passw0rd', WRONG: 'Wrong-Passw0rd' }
const context = () => testContext({ secrets })
const rights = (project: string, ...names: (keyof typeof robotAccess)[]) =>
  names.flatMap((name) => robotAccess[name]).map((right) => `${project}/${right}`)

let server: FakeHarbor
const opened: AsyncDisposable[] = []
beforeEach(async () => {
  const account = (kind: 'user' | 'robot', own: readonly string[]) => ({ kind, password: secrets.RIGHT, rights: own })
  server = await fakeHarbor({
    admin: account('user', ['*']),
    dana: account('user', rights('team', 'push')),
    robot$team: account('robot', rights('team', 'push', 'list', 'delete', 'protect', 'quota')),
    'robot$team+ci': account('robot', rights('team', 'push', 'delete')),
    'robot$team+keeper': account('robot', [
      ...rights('team', 'push', 'delete'),
      ...['project:read', 'tag-retention:read', 'tag-retention:update'].map((right) => `team/${right}`),
    ]),
    'robot$team+reader': account('robot', rights('team', 'pull', 'list')),
  })
  server.project('team')
})
afterEach(async () => {
  const { strange } = server
  for (const one of [...opened.splice(0), server]) await one[Symbol.asyncDispose]()
  expect(strange).toEqual([]) // nothing was asked that the vendor does not describe
})

function open(username?: string, more: Partial<HarborOptions> & { readonly wrong?: boolean } = {}) {
  const { wrong, ...options } = more
  const credentials = username === undefined ? undefined : { username, password: { secret: wrong ? 'WRONG' : 'RIGHT' } }
  const registry = harbor({
    host: server.host,
    plainHttp: true,
    credentials,
    retry: { tries: 2, firstWaitMs: 1 },
    ...options,
  })
  opened.push(registry)
  return registry
}

async function pushed(repository = 'team/web', tag = 'v1') {
  const image = randomImage({ layers: 1 })
  await pipe(image, open('robot$team').sink(repository), { tag }, context())
  return image
}

describe('images', () => {
  test('go up and come down as on any registry', async () => {
    const image = await pushed('team/apps/web')
    const copy = memoryImages()
    const source = await open('dana').source({ repository: 'team/apps/web', reference: 'v1' }, context())
    await pipe(source, copy.sink, {}, context())
    expect(copy.contents.size).toBe(3)
    expect(source.root.digest).toBe(image.root.digest)
  })

  test('without a project are refused before anything is asked', async () => {
    const registry = open('dana')
    expect(() => registry.sink('web')).toThrow(expect.objectContaining({ code: 'IMAGE_REFERENCE_INVALID' }))
    await expect(registry.check('web', 'push', context())).rejects.toMatchObject({ code: 'IMAGE_REFERENCE_INVALID' })
    expect(server.seen).toEqual([])
  })

  test('of repositories with slashes are listed', async () => {
    const image = await pushed('team/apps/web')
    const registry = open('robot$team')
    expect(await Array.fromAsync(registry.repositories('team', context()))).toMatchObject([
      { name: 'team/apps/web', artifacts: 1 },
    ])
    const artifacts = await Array.fromAsync(registry.artifacts('team/apps/web', context()))
    expect(artifacts).toMatchObject([{ digest: image.root.digest, tags: [{ name: 'v1', isImmutable: false }] }])
    expect(server.seen).toContain('GET /api/v2.0/projects/team/repositories/apps%252Fweb/artifacts')
  })

  test('are listed over several pages', async () => {
    const artifacts = new Map(
      Array.from({ length: 205 }, (_, index) => [`sha256:${index}`, artifactOf(`sha256:${index}`)]),
    )
    server.project('big', { public: true, repositories: new Map([['web', artifacts]]) })
    expect(await Array.fromAsync(open('dana').artifacts('big/web', context()))).toHaveLength(205)
  })

  test('lose one tag, or all and themselves', async () => {
    const registry = open('robot$team')
    const { root } = await pushed()
    await registry
      .sink('team/web')
      .manifest(await rawOf(registry, root.digest), { mediaType: root.mediaType, tag: 'v2' }, context())
    expect(await registry.remove({ repository: 'team/web', reference: 'v1' }, context())).toBe(true)
    expect(await registry.remove({ repository: 'team/web', reference: 'v1' }, context())).toBe(false)
    expect(await Array.fromAsync(registry.artifacts('team/web', context()))).toMatchObject([{ tags: [{ name: 'v2' }] }])
    expect(await registry.remove({ repository: 'team/web', reference: root.digest }, context())).toBe(true)
    expect(await Array.fromAsync(registry.artifacts('team/web', context()))).toEqual([])
  })
})

describe('a refusal', () => {
  const check = (username: string | undefined, repository: string, more = {}) =>
    open(username, more).check(repository, 'push', context())

  test.each(['dana', 'robot$team+ci'])('of a wrong password is told as that (%s)', async (username) => {
    for (const repository of ['team/web', 'nowhere/web']) {
      await expect(check(username, repository, { wrong: true })).rejects.toMatchObject({
        code: 'REGISTRY_UNAUTHORIZED',
      })
    }
  })

  test.each(['dana', 'robot$team+ci'])('for a missing project is told as that (%s)', async (username) => {
    await expect(check(username, 'nowhere/web')).rejects.toMatchObject({
      code: 'REGISTRY_PROJECT_MISSING',
      message: expect.stringContaining('does not have the project nowhere'),
    })
  })

  test('for a missing right is told as that, with who it is', async () => {
    server.project('other')
    await expect(check('dana', 'other/web')).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
      evidence: { identity: 'user' },
    })
    await expect(check('robot$team+reader', 'team/web')).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
      message: expect.stringMatching(
        /^cannot push to \S+: \S+ knows the robot, who lacks the right in the project team$/,
      ),
      evidence: { identity: 'robot', project: 'team' },
    })
    const misleading = check('robot$team+reader', 'team/read-only-mode')
    await expect(misleading).rejects.toMatchObject({ evidence: { identity: 'robot' } })
  })

  test('without credentials asks for some', async () => {
    await expect(check(undefined, 'team/web')).rejects.toMatchObject({
      code: 'REGISTRY_UNAUTHORIZED',
      message: expect.stringContaining('none are configured'),
    })
  })

  test('meets a listing, a pull and a push alike', async () => {
    const missing = { code: 'REGISTRY_PROJECT_MISSING' }
    const registry = open('robot$team')
    await expect(registry.quota('nowhere', context())).rejects.toMatchObject(missing)
    await expect(registry.projects.read('nowhere', context())).rejects.toMatchObject(missing)
    await expect(Array.fromAsync(registry.artifacts('nowhere/web', context()))).rejects.toMatchObject(missing)
    await expect(Array.fromAsync(registry.tags('nowhere/web', context()))).rejects.toMatchObject(missing)
    await expect(registry.resolve({ repository: 'nowhere/web', reference: 'v1' }, context())).rejects.toMatchObject(
      missing,
    )
    const pushing = pipe(randomImage(), registry.sink('nowhere/web'), { tag: 'v1' }, context())
    await expect(pushing).rejects.toMatchObject(missing)
  })

  test('of a proxy-cache project names it', async () => {
    server.project('mirror', { registryId: 7 })
    await expect(check('admin', 'mirror/web')).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
      message: expect.stringContaining('the project mirror is a cache of another registry'),
    })
  })

  test('in read-only mode says so', async () => {
    server.state.isReadOnly = true
    await expect(check('dana', 'team/web')).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
      message: expect.stringContaining('is set to read only'),
    })
  })

  test('has no password in it', async () => {
    const error = await check('robot$team+ci', 'nowhere/web', { wrong: true }).catch(KiwiError.from)
    expect(inspect(error, { depth: 9 })).not.toMatch(/Passw0rd|UGFzc3cw/)
  })

  test('with a masked cause keeps the id of the request', async () => {
    server.state.isBroken = true
    await expect(open('dana').projects.exists('team', context())).rejects.toMatchObject({
      code: 'REGISTRY_FAILED',
      evidence: { status: 500, requestId: 'request-1' },
    })
  })
})

describe('a project', () => {
  const push = (registry: ReturnType<typeof open>) =>
    pipe(randomImage(), registry.sink('fresh/web'), { tag: 'v1' }, context())

  test('is made with the first push where that is wanted, once', async () => {
    await push(open('admin', { createProjects: { public: true, storageLimitBytes: 1_000_000 } }))
    expect(server.state.projects.get('fresh')).toMatchObject({ public: true, hardBytes: 1_000_000 })
    expect(server.seen.filter((line) => line === 'POST /api/v2.0/projects')).toHaveLength(1)
  })

  test('is not made unasked', async () => {
    await expect(push(open('admin'))).rejects.toMatchObject({ code: 'REGISTRY_PROJECT_MISSING' })
    expect(server.state.projects.has('fresh')).toBe(false)
  })

  test('that one may not make is told with the right it takes', async () => {
    const pushing = push(open('dana', { createProjects: {} }))
    await expect(pushing).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
      message: expect.stringContaining('cannot create the project fresh'),
      hint: expect.stringContaining('project:create'),
    })
    await expect(open('dana').projects.create('fresh', {}, context())).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
      hint: expect.stringContaining('project:create'),
    })
  })

  test('is known to exist to those who may not read it', async () => {
    server.project('other')
    expect(await open('dana').projects.exists('other', context())).toBe(true)
    expect(await open('dana').projects.exists('nowhere', context())).toBe(false)
  })
})

describe('a quota', () => {
  test('is told in bytes', async () => {
    server.project('team', { hardBytes: 5000, usedBytes: 400 })
    expect(await open('robot$team').quota('team', context())).toEqual({ hardBytes: 5000, usedBytes: 400 })
    server.project('team', { usedBytes: 400 })
    expect(await open('robot$team').quota('team', context())).toEqual({ hardBytes: undefined, usedBytes: 400 })
  })

  test('that a layer runs into is told with its figures', async () => {
    server.project('team', { hardBytes: 30_000, usedBytes: 29_000 })
    const pushing = pipe(randomImage(), open('robot$team').sink('team/web'), { tag: 'v1' }, context())
    await expect(pushing).rejects.toMatchObject({
      code: 'REGISTRY_QUOTA_EXCEEDED',
      evidence: { project: 'team', hardBytes: 30_000, usedBytes: expect.any(Number) },
    })
  })

  test('refuses a large layer before any of it is sent', async () => {
    server.project('team', { hardBytes: 17_000_000, usedBytes: 1_000_000 })
    const bytes = randomBytes(17 * 1024 * 1024)
    const expected = { digest: digestOf(bytes), size: bytes.byteLength }
    const upload = { mediaType: mediaTypes.layerGzip, expected, open: () => chunksOf(bytes) }
    await expect(open('robot$team').sink('team/web').blob(upload, context())).rejects.toMatchObject({
      code: 'REGISTRY_QUOTA_EXCEEDED',
      evidence: { bytes: bytes.byteLength, hardBytes: 17_000_000 },
    })
    expect(server.seen.filter((line) => line.startsWith('POST'))).toEqual([])
  })
})

describe('protection', () => {
  test('makes the keep-tags of exactly the digests immutable, and lets go of the others', async () => {
    const registry = open('robot$team')
    const [first, second] = [await pushed('team/web', 'v1'), await pushed('team/web', 'v2')]
    const both = [first.root.digest, second.root.digest]
    expect(await registry.protect('team/web', both, context())).toEqual({
      by: 'immutable-tags',
      kept: both,
      notKept: [],
    })
    const removing = registry.remove({ repository: 'team/web', reference: first.root.digest }, context())
    await expect(removing).rejects.toMatchObject({ code: 'TAG_IMMUTABLE' })

    expect(await registry.protect('team/web', [second.root.digest], context())).toMatchObject({
      kept: [second.root.digest],
    })
    expect(server.state.projects.get('team')?.rules).toHaveLength(1)
    expect(await registry.remove({ repository: 'team/web', reference: first.root.digest }, context())).toBe(true)

    await registry.protect('team/web', [], context())
    expect(server.state.projects.get('team')?.rules).toEqual([])
    expect(await registry.remove({ repository: 'team/web', reference: second.root.digest }, context())).toBe(true)
  })

  test('leaves the rules of others alone and switches its own on again', async () => {
    const registry = open('robot$team')
    const { root } = await pushed()
    const selectors = (pattern: string, name: string) => ({
      tag_selectors: [{ kind: 'doublestar', decoration: 'matches', pattern }],
      scope_selectors: { repository: [{ kind: 'doublestar', decoration: 'repoMatches', pattern: name }] },
    })
    const team = server.project('team', {
      repositories: server.state.projects.get('team')?.repositories ?? new Map(),
      rules: [
        { id: 1, disabled: false, ...selectors('release-*', 'web') },
        { id: 2, disabled: true, ...selectors('kiwi-keep-000000000000*', 'web') },
      ],
    })
    await registry.protect('team/web', [root.digest], context())
    expect(team.rules).toMatchObject([
      { id: 1, tag_selectors: [{ pattern: 'release-*' }] },
      { id: 2, disabled: false, tag_selectors: [{ pattern: `kiwi-keep-${root.digest.slice(7, 19)}*` }] },
    ])
  })

  test('is a retention rule where immutability is not allowed', async () => {
    const repositories = new Map()
    server.project('team', { retentionId: 9, repositories })
    const kept = { id: 1, template: 'latestPushedK', params: { latestPushedK: 3 } }
    server.state.retentions.set(9, { id: 9, algorithm: 'or', rules: [kept], scope: { level: 'project', ref: 1 } })
    const { root } = await pushed()
    const registry = open('robot$team+keeper')
    for (let time = 0; time < 2; time++)
      expect(await registry.protect('team/web', [root.digest], context())).toMatchObject({ by: 'retention-exemption' })
    expect(server.state.retentions.get(9)).toMatchObject({
      algorithm: 'or',
      rules: [kept, { template: 'always', tag_selectors: [{ pattern: 'kiwi-keep-*' }] }],
    })
  })

  test('is keep-tags alone where nothing more is allowed', async () => {
    const { root } = await pushed()
    const registry = open('robot$team+ci')
    const protection = await registry.protect('team/web', [root.digest], context())
    expect(protection).toEqual({ by: 'keep-tags', kept: [root.digest], notKept: [] })
    await registry.protect('team/web', [], context())
    expect(await Array.fromAsync(registry.tags('team/web', context()))).toContain('v1')
    expect([...(server.state.projects.get('team')?.repositories.get('web')?.get(root.digest)?.tags ?? [])]).toEqual([
      'v1',
    ])
  })

  test('meets a push to an immutable tag as such', async () => {
    const { root } = await pushed()
    const registry = open('robot$team')
    await registry.protect('team/web', [root.digest], context())
    const tag = `kiwi-keep-${root.digest.slice(7, 19)}`
    const pushing = pipe(randomImage(), registry.sink('team/web'), { tag }, context())
    await expect(pushing).rejects.toMatchObject({ code: 'TAG_IMMUTABLE' })
  })
})

describe('robots', () => {
  test('are made, listed, given another secret and removed', async () => {
    const { robots } = open('admin')
    const made = await robots.create(
      { name: 'ci', level: 'project', projects: ['team'], rights: ['push'], expiresAfterDays: 90 },
      context(),
    )
    expect(made.username).toBe('robot$team+ci')
    expect(made.secret).toMatch(/^Secret0f/)
    expect(server.state.robots.get(made.id)).toMatchObject({
      permissions: [
        {
          kind: 'project',
          namespace: 'team',
          access: [
            { resource: 'repository', action: 'push' },
            { resource: 'repository', action: 'pull' },
          ],
        },
      ],
    })
    const listed = await Array.fromAsync(robots.list({ project: 'team' }, context()))
    expect(listed).toMatchObject([{ id: made.id, username: 'robot$team+ci', expiresAt: '2027-01-15T08:00:00.000Z' }])
    expect((await robots.refresh(made.id, context())).secret).toMatch(/^Fresh0f/)
    expect(await robots.remove(made.id, context())).toBe(true)
    expect(await robots.remove(made.id, context())).toBe(false)
  })

  test('print no secret', async () => {
    const robot = {
      name: 'all',
      level: 'system',
      projects: ['team'],
      rights: ['pull'],
      expiresAfterDays: 'never',
    } as const
    const made = await open('admin').robots.create({ ...robot, createsProjects: true }, context())
    expect(`${inspect(made)} ${JSON.stringify(made)}`).not.toContain('Secret0f')
    expect(made).toMatchObject({ username: 'robot$all', expiresAt: undefined })
  })

  test('are not made by those who may not, nor of nonsense', async () => {
    const robot = { name: 'ci', level: 'project', projects: ['team'], rights: ['push'], expiresAfterDays: 1 } as const
    const denied = open('dana').robots.create(robot, context())
    await expect(denied).rejects.toMatchObject({ code: 'REGISTRY_DENIED' })
    for (const wrong of [{ name: 'C I' }, { projects: [] }, { rights: [] }, { createsProjects: true }]) {
      const nonsense = open('admin').robots.create({ ...robot, ...wrong }, context())
      await expect(nonsense).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    }
  })
})

describe('a probe', () => {
  test('says the version, and who it is', async () => {
    expect(await open('robot$team').probe(context())).toMatchObject({
      ok: true,
      summary: expect.stringContaining('Harbor v2.16.0-fake'),
      details: { health: 'healthy', identity: 'robot' },
    })
  })

  test('of wrong credentials or a broken Harbor is not well', async () => {
    expect(await open('dana', { wrong: true }).probe(context())).toMatchObject({
      ok: false,
      details: { identity: 'refused' },
    })
    server.state.isBroken = true
    expect(await open('dana').probe(context())).toMatchObject({ ok: false, details: { code: 'REGISTRY_FAILED' } })
  })
})

function artifactOf(digest: string) {
  return { digest, mediaType: mediaTypes.manifest, size: 1, tags: new Set<string>() }
}

async function rawOf(registry: ReturnType<typeof open>, digest: string) {
  const source = await registry.source({ repository: 'team/web', reference: digest }, context())
  return source.manifest(source.root, new AbortController().signal)
}

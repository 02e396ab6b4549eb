import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BuildSettings, type Kiwi, secret } from '@kiwi/core'
import { memoryRegistry, withFaults } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { asked, createPlatform, type Platform, refusalOf } from './bad-input/platform.js'

let platform: Platform
let kiwi: Kiwi
beforeEach(async () => {
  platform = createPlatform()
  platform.commit({ Dockerfile: 'FROM scratch\n' })
  kiwi = await platform.open()
  await kiwi.services.register(platform.definition())
})
afterEach(async () => platform[Symbol.asyncDispose]())

/** Nothing was built, pushed or deployed. */
function expectNoEffect(): void {
  expect(platform.requests).toEqual([])
  expect([...platform.registry.images('web').tags.keys()]).toEqual([])
  expect(platform.runtime.acts).toEqual([])
}

async function refusedWith(build: BuildSettings) {
  await kiwi.services.update('web', { build })
  return refusalOf(kiwi.release('web', asked))
}

describe('a source', () => {
  it('that is not there is refused by its address, and a directory that is no repository too', async () => {
    for (const git of [join(platform.directory, 'nowhere'), join(platform.directory, 'plain')]) {
      mkdirSync(join(platform.directory, 'plain'), { recursive: true })
      await kiwi.services.update('web', { source: { git } })
      const refusal = await refusalOf(kiwi.release('web', asked))
      expect(refusal).toMatchObject({ code: 'SOURCE_UNREACHABLE', stage: 'source', effect: 'none' })
      expect(refusal.message + JSON.stringify(refusal.evidence)).toContain(git)
    }
    expectNoEffect()
  })

  it('without the ref is refused, naming it', async () => {
    for (const ref of ['mian', 'refs/tags/v9', 'a'.repeat(40)]) {
      const refusal = await refusalOf(kiwi.release('web', { ...asked, ref }))
      expect(refusal).toMatchObject({ code: 'REF_NOT_FOUND', effect: 'none', message: expect.stringContaining(ref) })
      expect((await refusalOf(kiwi.source.resolve('web', ref))).code).toBe('REF_NOT_FOUND')
    }
    expectNoEffect()
  })
})

describe('a path', () => {
  it('that the repository lacks is refused, naming the Dockerfiles that are there', async () => {
    expect(await refusedWith({ dockerfile: { mode: 'path', path: 'docker/Dockerfile' } })).toMatchObject({
      code: 'DOCKERFILE_MISSING',
      stage: 'analyse',
      effect: 'none',
      evidence: { path: 'docker/Dockerfile', found: ['Dockerfile'] },
    })
    expect(await refusedWith({ context: 'nowhere' })).toMatchObject({
      code: 'CONTEXT_INVALID',
      effect: 'none',
      evidence: { path: 'nowhere' },
    })
    expectNoEffect()
  })

  it('outside the repository is refused when the service is registered', async () => {
    for (const path of ['..', '../..', 'a/../..', '/etc', 'a/../../etc'])
      for (const build of [{ context: path }, { dockerfile: { mode: 'path', path } }] as const)
        expect(await refusalOf(kiwi.services.update('web', { build }))).toMatchObject({ code: 'INPUT_INVALID' })
    expect((await kiwi.services.get('web'))?.build).toBeUndefined()
  })

  it('outside the repository by way of a link is refused, and nothing there is read', async () => {
    const outside = join(platform.directory, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'Dockerfile'), 'FROM scratch\nLABEL private=yes\n')
    symlinkSync('../outside', join(platform.repository, 'link'))
    symlinkSync(outside, join(platform.repository, 'absolute'))
    symlinkSync(join(outside, 'Dockerfile'), join(platform.repository, 'Dockerfile.link'))
    platform.commit({})
    for (const context of ['link', 'absolute'])
      expect(await refusedWith({ context })).toMatchObject({ code: 'CONTEXT_INVALID', effect: 'none' })
    for (const path of ['link/Dockerfile', 'absolute/Dockerfile', 'Dockerfile.link'])
      expect(await refusedWith({ dockerfile: { mode: 'path', path } })).toMatchObject({ code: 'DOCKERFILE_MISSING' })
    expectNoEffect()
  })
})

describe('several Dockerfiles', () => {
  const chosen = async (build: BuildSettings) => {
    await kiwi.services.update('web', { build })
    const run = await kiwi.build('web', { ref: 'main', by: 'ana' })
    const events = await Array.fromAsync(run)
    await run.result
    return events.find((event) => event.type === 'dockerfile-chosen')
  }

  it('are decided by the nearest to the context, and the others are named', async () => {
    const text = 'FROM scratch\nLABEL of=api\n'
    platform.commit({ 'apps/api/Dockerfile': text, 'apps/web/Dockerfile': 'FROM scratch\n', 'Dockerfile.dev': text })
    expect(await chosen({ context: 'apps/api' })).toMatchObject({
      from: 'found',
      path: 'apps/api/Dockerfile',
      text,
      others: expect.arrayContaining(['Dockerfile', 'Dockerfile.dev', 'apps/web/Dockerfile']),
    })
    expect(platform.requests.at(-1)).toMatchObject({ dockerfile: text, contextPath: 'apps/api' })
    expect(await chosen({})).toMatchObject({ path: 'Dockerfile' })
    expect(await chosen({ dockerfile: { mode: 'path', path: 'Dockerfile.dev' } })).toMatchObject({
      from: 'path',
      others: [],
    })
  })
})

describe('a Dockerfile with a syntax error', () => {
  it.each([
    ['an unknown instruction', 'FROM scratch\n  CPOY . .\n', 2, 'CPOY'],
    ['an instruction before FROM', '# text\nRUN id\nFROM scratch\n', 2, 'RUN'],
    ['no FROM', 'ARG A=1\n', 1, 'FROM'],
    ['a here-document without its end', 'FROM scratch\nRUN <<END\nid\n', 2, 'END'],
    ['an unknown flag', 'FROM scratch\nCOPY --form=a b c\n', 2, 'form'],
    ['nothing in it', '', 1, 'no instructions'],
  ])('(%s) is refused with its place before a builder is asked', async (_, text, line, named) => {
    platform.commit({ Dockerfile: text })
    const refusal = await refusalOf(kiwi.release('web', asked))
    expect(refusal).toMatchObject({
      code: 'DOCKERFILE_SYNTAX',
      stage: 'analyse',
      effect: 'none',
      evidence: { path: 'Dockerfile', line, column: expect.any(Number) },
      message: expect.stringMatching(new RegExp(`^Dockerfile, line ${line}, column \\d+: .*${named}`)),
    })
    expectNoEffect()
  })
})

describe('a secret that is missing', () => {
  it('ends the run before any effect, naming the secret, not a value', async () => {
    const { production } = platform.definition().environments
    if (!production) throw new Error('the definition has production')
    await kiwi.services.update('web', {
      environments: { production: { ...production, env: { PASSWORD: secret('DATABASE_PASSWORD') } } },
    })
    expect(await refusalOf(kiwi.release('web', asked))).toMatchObject({
      code: 'SECRET_MISSING',
      stage: 'source',
      effect: 'none',
      message: expect.stringContaining('DATABASE_PASSWORD'),
    })
    expectNoEffect()
    expect(await kiwi.builds('web')).toEqual([])
  })

  it('for the repository is told before anything is fetched', async () => {
    await kiwi.services.update('web', { source: { git: 'https://git.invalid/web', token: secret('GIT_TOKEN') } })
    expect(await refusalOf(kiwi.build('web', { ref: 'main', by: 'ana' }))).toMatchObject({
      code: 'SECRET_MISSING',
      message: expect.stringContaining('GIT_TOKEN'),
    })
  })
})

describe('a registry that refuses', () => {
  it.each(['sink.blob', 'sink.manifest'])(
    '(%s) ends the run in push; the build is kept and can be pushed later',
    async (method) => {
      const fault = { type: 'fail', code: 'REGISTRY_DENIED', effect: 'none' } as const
      const registry = memoryRegistry()
      await kiwi.close()
      kiwi = await platform.open({ registries: { memory: withFaults(registry, [{ method, nth: 1, fault }]) } })
      const refusal = await refusalOf(kiwi.release('web', asked))
      expect(refusal).toMatchObject({ code: 'REGISTRY_DENIED', stage: 'push', retryable: false })
      expect(platform.runtime.acts).toEqual([])
      const [failed] = await kiwi.builds('web')
      expect(failed).toMatchObject({ number: 1, status: 'failed' })
      expect(failed?.digest).toMatch(/^sha256:/)
      const pushed = await (await kiwi.push('web', { buildNumber: 1, by: 'ana' })).result
      expect(pushed).toMatchObject({ number: 1, status: 'succeeded', digest: failed?.digest })
      expect([...registry.images('web').tags.keys()]).toEqual(['1'])
    },
  )
})

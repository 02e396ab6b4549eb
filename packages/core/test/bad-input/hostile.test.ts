import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Kiwi, ServiceDefinition } from '@kiwi/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import * as hostile from './hostile-values.js'
import { asked, createPlatform, type Platform, refusalOf } from './platform.js'

let platform: Platform
let kiwi: Kiwi
let started: string
beforeEach(async () => {
  platform = createPlatform()
  platform.commit({ Dockerfile: 'FROM scratch\n' })
  kiwi = await platform.open()
  await kiwi.services.register(platform.definition())
  setTraps()
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await platform[Symbol.asyncDispose]()
})

/** Whatever program is started, and found by its name, leaves a trace. */
function setTraps(): void {
  const programs = join(platform.directory, 'programs')
  started = join(platform.directory, 'started')
  mkdirSync(programs)
  for (const name of ['git', 'git-lfs', 'ssh', 'sh', 'touch', 'id', 'env', 'curl'])
    writeFileSync(join(programs, name), `#!/bin/sh\necho "$0 $*" >> ${started}\nexit 1\n`, { mode: 0o755 })
  vi.stubEnv('PATH', programs)
}

function expectNothingHappened(): void {
  expect(existsSync(started)).toBe(false)
  expect(readdirSync(platform.directory).sort()).toEqual(['programs', 'repository', 'state'])
  expect(readdirSync(platform.repository).sort()).toEqual(['.git', 'Dockerfile'])
  expect(platform.requests).toEqual([])
  expect(platform.runtime.acts).toEqual([])
}

describe('hostile input through the public calls', () => {
  it('is more than 200 values, none twice, each tried in one to four places', () => {
    expect(Object.values(hostile).flat().length).toBeGreaterThanOrEqual(200)
    for (const values of Object.values(hostile)) expect(new Set(values).size).toBe(values.length)
  })

  it('as a ref is refused by plan, release, build and picker', async () => {
    const by = 'ana'
    for (const ref of hostile.hostileRefs) {
      const refusal = { code: 'INPUT_INVALID', effect: 'none' }
      expect(await refusalOf(kiwi.source.resolve('web', ref)), ref).toMatchObject(refusal)
      expect(await refusalOf(kiwi.source.changed('web', ref, ref)), ref).toMatchObject(refusal)
      const { problems } = await kiwi.plan.release('web', { ...asked, ref })
      expect(problems, ref).toMatchObject([{ code: 'INPUT_INVALID' }])
    }
    const runs = hostile.hostileRefs.map(async (ref, index) => {
      const release = index % 5 === 0 // they queue: not all of them
      const run = release ? kiwi.release('web', { ...asked, ref }) : kiwi.build('web', { ref, by })
      return [ref, (await refusalOf(run)).code]
    })
    for (const [ref, code] of await Promise.all(runs)) expect(code, ref).toBe('INPUT_INVALID')
    expectNothingHappened()
  })

  const refused: Readonly<Record<string, readonly [readonly string[], (value: string) => Partial<ServiceDefinition>]>> =
    {
      'a tag rule': [hostile.hostileTagRules, (tag) => ({ image: { registry: 'memory', repository: 'web', tag } })],
      'the name of a build argument': [hostile.hostileArgNames, (name) => ({ build: { args: { [name]: 'x' } } })],
      'a repository of images': [
        hostile.hostileNames.filter((name) => !/^(?:a\/b|a_b|a\.b|__proto__)$/.test(name) && name !== 'x'.repeat(64)),
        (repository) => ({ image: { registry: 'memory', repository } }),
      ],
      'an environment': [
        hostile.hostileNames.filter((name) => name !== '__proto__'),
        (name) => ({ environments: { [name]: { runtime: 'memory' } } }),
      ],
    }
  it.each(Object.entries(refused))(
    'as %s is refused, and the registered definition stays',
    async (_, [values, changes]) => {
      for (const value of values)
        expect(await refusalOf(kiwi.services.update('web', changes(value))), JSON.stringify(value)).toMatchObject({
          code: 'INPUT_INVALID',
          effect: 'none',
        })
      expect(await kiwi.services.get('web')).toMatchObject(platform.definition())
      expectNothingHappened()
    },
  )

  it('as the name of a service is refused', async () => {
    for (const name of hostile.hostileNames) {
      const refusal = await refusalOf(kiwi.services.register({ ...platform.definition(), name }))
      expect(refusal, JSON.stringify(name)).toMatchObject({ code: 'INPUT_INVALID', effect: 'none' })
      expect((await refusalOf(kiwi.release(name, asked))).code).toMatch(/^(?:SERVICE_UNKNOWN|INPUT_INVALID)$/)
    }
    expect((await kiwi.services.list()).map(({ name }) => name)).toEqual(['web'])
    expectNothingHappened()
  })

  it('as an image is refused by plan and deploy', async () => {
    const by = 'ana'
    const codes = /^(?:IMAGE_REFERENCE_INVALID|INPUT_INVALID|BASE_IMAGE_MISSING|MANIFEST_UNKNOWN)$/
    for (const [index, image] of hostile.hostileImages.entries()) {
      const to = { environment: 'production', by, image }
      const { problems } = await kiwi.plan.deploy('web', to)
      expect(problems[0]?.code, JSON.stringify(image)).toMatch(codes)
      if (index % 5 === 0) expect((await refusalOf(kiwi.deploy('web', to))).code, JSON.stringify(image)).toMatch(codes)
    }
    expectNothingHappened()
  })

  it('as values of build arguments is data: it arrives as it is, and nothing is started for it', async () => {
    vi.unstubAllEnvs() // this one has to fetch
    const args = Object.fromEntries(hostile.hostileArgValues.map((value, index) => [`A${index}`, value]))
    await kiwi.services.update('web', { build: { args } })
    await (await kiwi.build('web', { ref: 'main', by: 'ana' })).result
    expect(platform.requests.map((request) => request.args)).toEqual([args])
    expect(readdirSync(platform.repository).sort()).toEqual(['.git', 'Dockerfile'])
  })

  it('as branches that are there already is not handed on, and does not hide the others', async () => {
    vi.unstubAllEnvs()
    const head = platform.git('rev-parse', 'HEAD').trim()
    const names = ['$(touch x)', ';touch x', '--upload-pack=touch', '`id`', '-x', 'a\u202eb']
    for (const name of names) writeRef(name.replaceAll(' ', '_'), head)
    const listed = (await Array.fromAsync(kiwi.source.refs('web'))).map(({ name }) => name)
    expect(listed.join(' ')).toContain('main')
    for (const name of names)
      expect((await refusalOf(kiwi.build('web', { ref: name, by: 'ana' }))).code).toBe('INPUT_INVALID')
    expect((await (await kiwi.build('web', { ref: 'main', by: 'ana' })).result).status).toBe('succeeded')
  })

  it('would be noticed: a plain ref starts git', async () => {
    expect((await refusalOf(kiwi.source.resolve('web', 'main'))).code).toBe('SOURCE_UNREACHABLE')
    expect(existsSync(started)).toBe(true)
  })
})

function writeRef(name: string, commit: string): void {
  writeFileSync(join(platform.repository, '.git', 'refs', 'heads', name), `${commit}\n`)
}

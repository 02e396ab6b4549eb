import { describe, expect, it } from 'vitest'
import { KiwiError } from '../errors/kiwi-error.js'
import { isSecretReference } from '../secrets/reference.js'
import { parseAdapterEntry, parseServiceDefinition } from './schema.js'
import type { ServiceDefinition } from './service.js'
import { everything, smallest } from './test-definitions.js'

/** Path, kind and what is allowed, as the error tells them. */
function problemsIn(input: unknown, parse: (input: unknown) => unknown = parseServiceDefinition): string[][] {
  try {
    parse(input)
    return []
  } catch (error) {
    if (!KiwiError.is(error)) throw error
    const { problems } = error.evidence as { problems: { path: string; given: string; allowed: string }[] }
    for (const { path, given, allowed } of problems.slice(0, 20))
      expect(error.message).toContain(`${path}: ${given}; allowed: ${allowed}`)
    return problems.map(({ path, given, allowed }) => [path, given, allowed])
  }
}

const pathsIn = (input: unknown) => problemsIn(input).map(([path]) => path)

describe('a service definition', () => {
  it('is answered as it was given, as a copy', () => {
    expect(parseServiceDefinition(smallest)).toEqual(smallest)
    expect(parseServiceDefinition(everything)).toEqual(everything)
    expect(parseServiceDefinition(everything)).not.toBe(everything)
    expect(parseServiceDefinition(everything).environments).not.toBe(everything.environments)
  })

  it('may be of another realm, without a prototype, frozen, and with keys that are undefined', () => {
    const bare = Object.assign(Object.create(null), smallest)
    expect(parseServiceDefinition(bare)).toEqual(smallest)
    expect(parseServiceDefinition(Object.freeze({ ...smallest, build: undefined }))).toEqual(smallest)
  })

  it('takes any directory, any kind of repository address, and every choice of Dockerfile and cache', () => {
    const sources: ServiceDefinition['source'][] = [
      { directory: '/srv/web' },
      { git: 'https://git.example/team/web.git', token: { secret: 'GIT_TOKEN' }, submodules: true, lfs: false },
      { git: 'ssh://git@git.example/team/web.git' },
      { git: 'git@git.example:team/web.git' },
    ]
    for (const source of sources) expect(problemsIn({ ...smallest, source })).toEqual([])
    for (const dockerfile of [{ mode: 'auto' }, { mode: 'wizard' }, { mode: 'path', path: './docker/Dockerfile.prod' }])
      expect(problemsIn({ ...smallest, build: { dockerfile } })).toEqual([])
    for (const cache of [
      { mode: 'layer' },
      { mode: 'off' },
      { mode: 'registry' },
      { mode: 'registry', repository: 'a/b' },
    ])
      expect(problemsIn({ ...smallest, build: { cache } })).toEqual([])
  })

  it('takes names that JavaScript has a meaning for', () => {
    const environments = { constructor: { runtime: 'local', env: { constructor: 'a', toString: 'b' } } }
    expect(parseServiceDefinition({ ...smallest, environments }).environments).toEqual(environments)
  })

  it('that is none of the kind is told what it should be', () => {
    const allowed = 'an object with name, source, build, image, triggers, environments'
    for (const [input, kind] of [
      [undefined, 'missing'],
      [null, 'null'],
      ['web', 'string'],
      [[], 'array'],
      [true, 'boolean'],
    ])
      expect(problemsIn(input)).toEqual([['(whole)', kind, allowed]])
  })

  it('with many faults is told of all of them at once', () => {
    expect(
      pathsIn({
        ...everything,
        name: 'Web',
        source: { git: '' },
        build: { context: '../x', args: { 'a-b': 'c' }, cache: { mode: 'fast' } },
        image: { registry: 'main', repository: 'Web', tag: '${NAME}' },
        triggers: [{ on: 'push', branches: [] }, { on: 'moon' }, { on: 'tag', tags: ['v*'], environment: 'nowhere' }],
        environments: {
          production: {
            runtime: 5,
            replicas: '2',
            resources: { requests: { cpu: '1', memory: 5 }, limits: { cpu: '500m', memory: '1x' } },
            env: { A: 5 },
          },
        },
        more: 1,
      }).toSorted(),
    ).toEqual([
      'build.args.a-b',
      'build.cache.mode',
      'build.context',
      'environments.production.env.A',
      'environments.production.replicas',
      'environments.production.resources.limits.cpu',
      'environments.production.resources.limits.memory',
      'environments.production.resources.requests.memory',
      'environments.production.runtime',
      'image.repository',
      'image.tag',
      'more',
      'name',
      'source.git',
      'triggers.0.branches',
      'triggers.1.on',
      'triggers.2.environment',
    ])
  })

  it('with an unknown key is told the known ones, and the one that was meant', () => {
    expect(problemsIn({ ...smallest, enviroment: 1 })).toEqual([
      ['enviroment', 'unknown key', 'name, source, build, image, triggers, environments (did you mean environments?)'],
    ])
    expect(problemsIn({ ...smallest, source: { directory: '/srv', branch: 'main' } })).toEqual([
      ['source.branch', 'unknown key', 'directory'],
    ])
  })

  it('is never told its own values, in no kind of fault', () => {
    const value = 'hunter2-hunter2'
    const replaced: unknown = JSON.parse(JSON.stringify(everything), (_, one: unknown) =>
      typeof one === 'object' ? one : `\0${value}`,
    )
    const typed: unknown = JSON.parse(JSON.stringify(everything), (_, one: unknown) =>
      typeof one === 'object' ? one : ` ${value} #`,
    )
    for (const input of [replaced, typed]) {
      const told = JSON.stringify(problemsIn(input))
      expect(told.length).toBeGreaterThan(1_000)
      expect(told).not.toContain('hunter2')
    }
  })

  it('asks at least for as much as it requests', () => {
    const resources = { requests: { cpu: '0.5', memory: '1Gi' }, limits: { cpu: '499m', memory: '1G' } }
    const environments = { a: { runtime: 'x', resources } }
    expect(problemsIn({ ...smallest, environments })).toEqual([
      ['environments.a.resources.limits.cpu', 'less than requested', 'at least as much as resources.requests.cpu'],
      [
        'environments.a.resources.limits.memory',
        'less than requested',
        'at least as much as resources.requests.memory',
      ],
    ])
    const enough = { requests: { cpu: '0.5' }, limits: { cpu: '500m' } }
    expect(problemsIn({ ...smallest, environments: { a: { runtime: 'x', resources: enough } } })).toEqual([])
  })

  it('names secrets as secret() does', () => {
    for (const secret of ['A', 'a/b.c-d_e', '_', '', '-a', 'a b', 'ü', 'x'.repeat(200), 'x'.repeat(201)]) {
      const environments = { a: { runtime: 'x', env: { A: { secret } } } }
      expect(problemsIn({ ...smallest, environments }).length === 0, secret).toBe(isSecretReference({ secret }))
    }
  })
})

describe('an entry of a register', () => {
  const entry = {
    name: 'main',
    kind: 'harbor',
    settings: { url: 'https://a.example', deep: [{ a: null }] },
    secrets: { password: { secret: 'P' } },
  }

  it('is answered as it was given', () => {
    expect(parseAdapterEntry(entry)).toEqual(entry)
  })

  it('with what looks like a secret among its settings is refused, and the value not repeated', () => {
    const settings = {
      url: 'https://ci:hunter2@a.example',
      deep: [{ apiKey: 'hunter2', passwordFile: '/run/password', imagePullSecret: 'pull' }],
      token: { secret: 'T' },
    }
    const problems = problemsIn({ ...entry, settings }, parseAdapterEntry)
    expect(problems.map(([path]) => path)).toEqual(['settings.url', 'settings.deep.0.apiKey'])
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })

  it('with faults is told of all of them', () => {
    const wrong = {
      name: 'Main',
      kind: '',
      settings: { made: new Date(), run: () => 1 },
      secrets: { password: 'hunter2' },
      x: 1,
    }
    const problems = problemsIn(wrong, parseAdapterEntry)
    expect(problems.map(([path]) => path)).toEqual([
      'settings.made',
      'settings.run',
      'name',
      'kind',
      'secrets.password',
      'x',
    ])
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })
})

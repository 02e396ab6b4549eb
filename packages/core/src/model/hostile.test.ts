import childProcess, { spawn } from 'node:child_process'
import fs, { mkdirSync, writeFileSync } from 'node:fs'
import filePromises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Store } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { servicesOf } from '../registers/services.js'
import { applyFixes } from './fixes.js'
import { parseServiceDefinition } from './schema.js'
import { everything } from './test-definitions.js'

const withProcesses = childProcess as unknown as Record<string, () => unknown>
const withFiles = [fs, filePromises] as unknown as Record<string, () => unknown>[]
const starts = ['spawn', 'spawnSync', 'exec', 'execSync', 'execFile', 'execFileSync', 'fork']
const writes = [
  'open',
  'writeFile',
  'appendFile',
  'mkdir',
  'mkdtemp',
  'rm',
  'unlink',
  'rename',
  'symlink',
  'link',
  'truncate',
  'chmod',
]
const touched: string[] = []

/** Nothing below reaches a process or a file: the calls are noted and refused. `syncBuiltinESMExports` makes named imports see it. */
beforeAll(() => {
  const refuse = (module: Record<string, () => unknown>, name: string) => {
    if (!Object.hasOwn(module, name)) return
    vi.spyOn(module, name).mockImplementation(() => {
      touched.push(name)
      throw new Error(`${name} was called`)
    })
  }
  for (const name of starts) refuse(withProcesses, name)
  for (const module of withFiles) for (const name of writes.flatMap((one) => [one, `${one}Sync`])) refuse(module, name)
  syncBuiltinESMExports()
})

afterAll(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
})

/** A store that must not be touched either. */
const untouchable = new Proxy({} as Store, {
  get: (_, name) => {
    touched.push(`store.${String(name)}`)
    throw new Error('the store was touched')
  },
})

const inEnvironment = (path: string) => `environments.production.${path}`
const outside = [
  '/etc/passwd',
  '..',
  '../x',
  'a/../../x',
  'a/..',
  './..',
  '..\\x',
  'a\\b',
  'C:\\x',
  'C:x',
  '//host/x',
  '\\\\host\\x',
  '',
  'a\0b',
  'a\nb',
  'a\u2028b',
  '\ud800',
  'x'.repeat(2_000),
]
const shell = [
  '$(id)',
  '`id`',
  'a;b',
  'a b',
  '-o',
  '--upload-pack=x',
  'a\nb',
  'a\0',
  '../a',
  'a/../b',
  '${HOME}',
  'a|b',
  '\u202eb',
]

/** Where, and what. */
const places: readonly (readonly [path: string, values: readonly unknown[]])[] = [
  [
    'name',
    [
      ...shell,
      '',
      'Web',
      'a_b',
      'a.b',
      '-a',
      'a-',
      'é',
      'а',
      'x'.repeat(64),
      5,
      null,
      {},
      [],
      ['web'],
      true,
      1n,
      Symbol('x'),
      () => 'web',
      new String('web'),
      Number.NaN,
    ],
  ],
  ['build.context', outside],
  ['build.dockerfile.path', outside],
  [
    'build.dockerfile',
    [
      'auto',
      'Dockerfile',
      null,
      [],
      { mode: 'AUTO' },
      { mode: 'auto', path: 'x' },
      { mode: 'path' },
      {},
      { mode: { toString: () => 'auto' } },
    ],
  ],
  ['build.target', [...shell, '', 'x'.repeat(129), 5]],
  [
    'build.args',
    [
      null,
      [],
      'A=b',
      [['A', 'b']],
      new Map([['A', 'b']]),
      { '': 'x' },
      { '1A': 'x' },
      { 'A-B': 'x' },
      { 'A=B': 'x' },
      { 'A\0': 'x' },
      { 'A\nB': 'x' },
      { A: 5 },
      { A: null },
      { A: 'x\0y' },
      { A: '\udfff' },
      { A: { secret: 'X' } },
      { ['A'.repeat(300)]: 'x' },
    ],
  ],
  [
    'build.cache',
    [
      'layer',
      { mode: 'registry', repository: '../x' },
      { mode: 'registry', repository: 'Web' },
      { mode: 'layer', repository: 'a' },
    ],
  ],
  ['build.platform', [...shell, 'linux', 'Linux/amd64', 'linux/amd64/v8/x', 'linux/']],
  ['build.baseImage', ['', 'UPPER', 'a b', 'a@sha256:0', 'a:b:c', '-x', 'x/../y', 'a\nRUN id']],
  ['image.registry', [...shell, '', '-', 'a/b', 'user:pass@host']],
  [
    'image.repository',
    [
      ...shell,
      '',
      'Web',
      '/web',
      'web/',
      'a//b',
      'web:tag',
      `web@sha256:${'0'.repeat(64)}`,
      'https://a/b',
      'x'.repeat(256),
    ],
  ],
  [
    'image.tag',
    [
      ...shell,
      '',
      '${NAME}',
      '${BRANCH',
      '$BRANCH',
      '${}',
      '${__proto__}',
      '${constructor}',
      '-${TAG}',
      '.${TAG}',
      'a:b',
      'a/b',
      'é',
      'x'.repeat(129),
      '${'.repeat(5_000),
      '${BRANCH}'.repeat(5_000),
    ],
  ],
  [
    'source',
    [
      null,
      '/srv',
      {},
      [],
      { git: '/a', directory: '/b' },
      { directory: 'relative' },
      { directory: '/a\0' },
      { directory: '' },
    ],
  ],
  [
    'source.git',
    [
      '',
      '-x',
      '--upload-pack=id',
      'ext::sh -c id',
      'fd::17',
      'file:///srv',
      'http://git.example/a.git',
      'https://user:password@git.example/a',
      'https://token@git.example/a',
      'https://git.example/a?x',
      'ssh://-oProxyCommand=id/a',
      'git@-oProxyCommand=id:a',
      'git@host:-x',
      'relative/path',
      'a b',
      'https://git.example/a\nb',
      'x'.repeat(3_000),
      'git://git.example/a',
      'ftp://git.example/a',
    ],
  ],
  [
    'source.token',
    ['hunter2-hunter2', { secret: '' }, { secret: 'a b' }, { secret: 'A', value: 'x' }, { secret: 5 }, {}],
  ],
  ['triggers.0.branches', [[], 'main', [''], ['a\nb'], ['a\0b'], [5], [' x'], ['x'.repeat(300)], [['main']]]],
  ['triggers.0.environment', ['nowhere', '__proto__', 'constructor', 'hasOwnProperty', '', 5]],
  ['triggers.0.on', ['moon', 'toString', '__proto__', 5, undefined]],
  [
    'triggers.2.cron',
    [
      '',
      '* * * *',
      '* * * * * * *',
      '@daily',
      'a;b * * * *',
      '* * * * $(id)',
      `${'* '.repeat(5_000)}`,
      `* * * * *${' '.repeat(50_000)}!`,
      5,
    ],
  ],
  ['triggers.2.timeZone', ['', 'Moon/Sea', '../../etc/passwd', '+01:00', 'x'.repeat(10_000), 'Europe/Berlin\0', 5]],
  ['triggers.2.ref', ['', '-x', 'a..b', 'a b', 'a~1', '@{u}', 'a\nb', 'x'.repeat(300), 'a.lock', '/a']],
  [
    'environments',
    [
      {},
      [],
      null,
      'production',
      { Production: { runtime: 'x' } },
      { 'a/b': { runtime: 'x' } },
      { '../a': { runtime: 'x' } },
      { ['x'.repeat(64)]: { runtime: 'x' } },
      { a: 'b' },
      { a: undefined },
    ],
  ],
  [inEnvironment('runtime'), [...shell, '', 5, null]],
  [inEnvironment('namespace'), [...shell, '', 'A', 'x'.repeat(64)]],
  [inEnvironment('replicas'), [0, -1, 1.5, '2', 1_001, Number.POSITIVE_INFINITY, Number.NaN, 2 ** 60, null, 10n]],
  [
    inEnvironment('resources.requests.cpu'),
    ['', '-1', '0', '1,5', '0.0001', '1 ', '1e999999999', `1${'0'.repeat(100_000)}`, 1, null],
  ],
  [
    inEnvironment('resources.limits.memory'),
    ['', '100m', '128MB', '1 Gi', '9Ei', '0', '0Mi', '-5Gi', 1024, `${'9'.repeat(100_000)}Ei`],
  ],
  [
    inEnvironment('env'),
    [
      [],
      null,
      { 'A=B': 'x' },
      { '': 'x' },
      { A: 5 },
      { A: null },
      { A: ['x'] },
      { A: 'x\0y' },
      { A: { secret: 'X', y: 1 } },
      { A: { secret: '../x y' } },
      { 'LD PRELOAD': 'x' },
    ],
  ],
  [inEnvironment('port'), [0, -1, 65_536, '80', 80.5]],
  [
    inEnvironment('publish'),
    [
      80,
      '8080:80',
      { port: -1 },
      { address: '' },
      { address: 'a b' },
      { address: 'a/b' },
      { address: '-x' },
      { protocol: 'udp' },
    ],
  ],
  [
    inEnvironment('health.path'),
    [
      '',
      'healthz',
      '//evil.example/x',
      '/\\evil.example',
      '/a b',
      '/a\r\nHost: x',
      '/a#b',
      '/ä',
      `/${'x'.repeat(3_000)}`,
      'http://evil.example/',
    ],
  ],
  [
    inEnvironment('verify'),
    [
      '/x',
      {},
      { path: '//evil.example' },
      { path: '/x', status: 99 },
      { path: '/x', status: 600 },
      { path: '/x', status: '200' },
    ],
  ],
  [
    inEnvironment('volumes'),
    [
      [],
      {},
      ['/a:/b'],
      [{ source: '', path: '/a' }],
      [{ source: '/a/../..', path: '/a' }],
      [{ source: '../a', path: '/a' }],
      [{ source: '/a', path: '/' }],
      [{ source: '/a', path: 'b' }],
      [{ source: '/a', path: '/a/../b' }],
      [{ source: '/a:/b', path: '/c' }],
      [{ source: '/a', path: '/b:ro' }],
      [
        { source: '/a', path: '/b' },
        { source: '/c', path: '/b' },
      ],
      [{ source: '/a\0', path: '/b' }],
    ],
  ],
  [inEnvironment('command'), [[], 'npm start', [''], [5], [null], ['a\0b'], [['a']]]],
  [
    inEnvironment('beforeSwitch'),
    ['npm run migrate', {}, { command: [] }, { command: ['x'], withinMs: 0 }, { command: ['x'], schemaChange: 'yes' }],
  ],
  [inEnvironment('strategy'), ['canary', 'Rolling', '', 5, ['rolling']]],
  [inEnvironment('stopGraceMs'), [0, -1, 0.5, '10s', 2 ** 31, Number.POSITIVE_INFINITY]],
  [inEnvironment('tolerance'), [{ restarts: -1 }, { silenceMs: 0 }, { patience: 1 }, 3]],
  [inEnvironment('approval'), ['true', 1, 'no', null]],
  [inEnvironment('keepReleases'), [0, 9, -10, 10.5, '10', 10_000]],
]
const cases = places.flatMap(([path, values]) => values.map((value) => [path, shownAs(value), value] as const))

function shownAs(value: unknown): string {
  const shown = typeof value === 'object' || typeof value === 'string' ? JSON.stringify(value) : String(value)
  return (shown ?? '').length > 60 ? `${shown?.slice(0, 60)}… (${shown?.length})` : (shown ?? '')
}

/** `everything` with another value at that path. */
function withValue(path: string, value: unknown): unknown {
  const definition: unknown = structuredClone(everything)
  const keys = path.split('.')
  const last = keys.pop() ?? ''
  const parent = keys.reduce((inside, key) => (inside as Record<string, unknown>)[key], definition) as Record<
    string,
    unknown
  >
  parent[last] = value
  return definition
}

function refusalOf(act: () => unknown): KiwiError {
  try {
    act()
  } catch (error) {
    if (KiwiError.is(error)) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe('hostile definitions', () => {
  it('are guarded by watchers that see a process start and a file written', () => {
    expect(() => spawn('true')).toThrow('spawn was called')
    expect(() => writeFileSync('/nonexistent/x', '')).toThrow('writeFileSync was called')
    expect(() => mkdirSync('/nonexistent')).toThrow('mkdirSync was called')
    expect(touched.splice(0)).toEqual(['spawn', 'writeFileSync', 'mkdirSync'])
  })

  it(`are more than 300: ${cases.length}`, () => {
    expect(cases.length).toBeGreaterThanOrEqual(300)
  })

  it.each(cases)('%s = %s is refused at its place, and not repeated', (path, _, value) => {
    const error = refusalOf(() => parseServiceDefinition(withValue(path, value)))
    expect(error).toMatchObject({ code: 'INPUT_INVALID', effect: 'none' })
    const { problems } = error.evidence as { problems: { path: string }[] }
    expect(problems.map((one) => one.path).filter((one) => one === path || one.startsWith(`${path}.`))).not.toEqual([])
    if (typeof value === 'string' && value.length >= 14)
      expect(error.message + JSON.stringify(error.evidence)).not.toContain(value)
    expect(touched).toEqual([])
  })

  it('do not reach the store', async () => {
    const services = servicesOf(untouchable)
    for (const [path, , value] of cases)
      await expect(services.register(withValue(path, value) as never)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    expect(touched).toEqual([])
  })

  it('are refused as fixes too', () => {
    for (const [path, shown, value] of cases.filter(([, , value]) => value !== undefined)) {
      const error = refusalOf(() => applyFixes(everything, [{ path, value: value as never }])) // a fix's value is JSON
      expect(error.code, `${path} = ${shown}`).toBe('INPUT_INVALID')
    }
    expect(touched).toEqual([])
  })
})

describe('objects that are no data', () => {
  const throwing = (name: string) =>
    new Proxy(
      {},
      {
        [name]: () => {
          throw new TypeError('trap')
        },
      },
    )
  const cycle: Record<string, unknown> = { ...everything }
  cycle.build = { args: cycle }
  const ring: unknown[] = []
  ring.push(ring)
  const deep = (levels: number) => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`)
  let ran = 0

  it.each<[string, unknown]>([
    ['a cycle', cycle],
    ['a list in itself', { ...everything, triggers: ring }],
    [
      'a getter',
      {
        ...everything,
        get name() {
          ran += 1
          return 'web'
        },
      },
    ],
    [
      'a getter that throws',
      {
        ...everything,
        get build(): never {
          ran += 1
          throw new Error('x')
        },
      },
    ],
    [
      'a getter in a list',
      {
        ...everything,
        triggers: Object.defineProperty([], 0, {
          enumerable: true,
          get: () => {
            ran += 1
          },
        }),
      },
    ],
    [
      'toJSON',
      {
        toJSON: () => {
          ran += 1
          return everything
        },
      },
    ],
    ['a proxy whose keys throw', throwing('ownKeys')],
    ['a proxy whose prototype throws', throwing('getPrototypeOf')],
    [
      'a proxy whose properties throw',
      new Proxy(
        { ...everything },
        {
          getOwnPropertyDescriptor: () => {
            throw new TypeError('trap')
          },
        },
      ),
    ],
    [
      'a proxy that is revoked',
      (() => {
        const { proxy, revoke } = Proxy.revocable({}, {})
        revoke()
        return proxy
      })(),
    ],
    ['a date', { ...everything, name: new Date() }],
    ['a class', { ...everything, build: new (class Build {})() }],
    ['a map', new Map(Object.entries(everything))],
    ['a set', { ...everything, triggers: new Set(everything.triggers) }],
    ['an error', new Error('x')],
    ['a promise', Promise.resolve(everything)],
    ['bytes', { ...everything, name: Buffer.from('web') }],
    ['a function', () => everything],
    ['a big number', 10n ** 30n],
    ['a symbol', Symbol('x')],
    ['500 levels', deep(500)],
    ['5,000 levels in one place', { ...everything, build: deep(5_000) }],
    ['a list of 4 billion holes', { ...everything, triggers: new Array(2 ** 32 - 1) }],
    ['a list with holes', { ...everything, triggers: new Array(3) }],
    ['a list with keys', { ...everything, triggers: Object.assign([], { x: 1 }) }],
    ['100,000 unknown keys', Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`key${i}`, i]))],
    [
      '15,000 unknown keys',
      { ...everything, ...Object.fromEntries(Array.from({ length: 15_000 }, (_, i) => [`name${i}`, i])) },
    ],
    ['two million characters', { ...everything, build: { args: { A: 'x'.repeat(2_000_000) } } }],
    ['a key of two million characters', { ...everything, ['x'.repeat(2_000_000)]: 1 }],
    ['a prototype from JSON', JSON.parse('{"__proto__": {"name": "web"}}')],
    [
      'a prototype deep in JSON',
      JSON.parse('{"environments": {"__proto__": {"runtime": "x"}, "a": {"runtime": "x", "__proto__": {}}}}'),
    ],
    ['a prototype as the only variable', { ...everything, build: { args: JSON.parse('{"__proto__": "x"}') } }],
    ['what is inherited', Object.create(everything)],
    ['a constructor', { ...everything, constructor: { prototype: { polluted: true } } }],
  ])('%s is refused, and none of its code runs', (_, input) => {
    expect(refusalOf(() => parseServiceDefinition(input))).toMatchObject({ code: 'INPUT_INVALID', effect: 'none' })
    expect(ran).toBe(0)
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
    expect(touched).toEqual([])
  })

  it('say no more than can be read', () => {
    const many = { ...everything, ...Object.fromEntries(Array.from({ length: 15_000 }, (_, i) => [`name${i}`, i])) }
    const { message, evidence } = refusalOf(() => parseServiceDefinition(many))
    expect(message).toMatch(/15000 problems.* and 14980 more$/)
    expect(JSON.stringify(evidence).length).toBeLessThan(50_000)
  })
})

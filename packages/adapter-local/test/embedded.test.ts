import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEmbeddedKiwi, type EmbeddedKiwi } from '@kiwi/adapter-local'
import type { EnvironmentDefinition, ErrorRecord, Release, ServiceDefinition } from '@kiwi/core'
import { KiwiError } from '@kiwi/core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

const home = mkdtempSync(join(tmpdir(), 'kiwi-embedded-'))
let kiwi: EmbeddedKiwi
let base: string
const services: string[] = []

beforeAll(async () => {
  kiwi = await createEmbeddedKiwi({ directory: join(home, 'state'), isolation: 'auto-with-none' })
  base = await kiwi.provideNodeImage()
}, 60_000)
afterEach(async () => {
  for (const service of services.splice(0)) await kiwi.runtime.stop({ service, environment: 'production' })
})
afterAll(async () => {
  await kiwi.close()
  rmSync(home, { recursive: true })
}, 60_000)

/** A repository of these files, registered as a service. */
async function serve(
  name: string,
  files: Readonly<Record<string, string>>,
  more: Partial<ServiceDefinition> & { environment?: Partial<EnvironmentDefinition> } = {},
) {
  const { environment, ...definition } = more
  const directory = join(home, 'repositories', name)
  mkdirSync(directory, { recursive: true })
  for (const [path, text] of Object.entries(files)) writeFileSync(join(directory, path), text)
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', directory, '-c', 'user.name=a', '-c', 'user.email=a@localhost', ...args])
  git('init', '--quiet', '--initial-branch=main')
  git('add', '--all')
  git('commit', '--quiet', '--message=first')
  await kiwi.services.register({
    name,
    source: { git: directory },
    build: { baseImage: base },
    image: { registry: 'embedded', repository: name },
    environments: { production: { runtime: 'local', stopGraceMs: 1_000, ...environment } },
    ...definition,
  })
  services.push(name)
}

const release = async (service: string, ref = 'main'): Promise<Release> =>
  (await kiwi.release(service, { ref, environment: 'production', by: 'test' })).result

/** What a person gets to know of a failed release. */
async function failure(service: string, ref?: string): Promise<ErrorRecord> {
  const outcome = await release(service, ref).catch((error: unknown) => error)
  if (!KiwiError.is(outcome)) throw new Error(`it did not fail: ${JSON.stringify(outcome)}`)
  expect(outcome.hint).not.toBe('')
  return outcome.toRecord()
}

const server = `require('node:http').createServer((_, response) => response.end('hello')).listen(process.env.PORT)`
const manifest = JSON.stringify({ name: 'app', version: '1.0.0', scripts: { start: 'node server.js' } })
const app = { 'package.json': manifest, 'server.js': server }

describe('a release on this machine', { timeout: 60_000 }, () => {
  it('of a repository without a Dockerfile answers', async () => {
    await serve('plain', app)
    const { addresses } = await release('plain')
    expect(await (await fetch(addresses[0] ?? '')).text()).toBe('hello')
  })

  it('runs with the environment and the secrets it was given', async () => {
    process.env.KIWI_TEST_TOKEN = 'a-long-token'
    const text = `require('node:http').createServer((_, response) => response.end(process.env.GREETING + process.env.TOKEN.length)).listen(process.env.PORT)`
    await serve(
      'configured',
      { ...app, 'server.js': text },
      { environment: { env: { GREETING: 'hi ', TOKEN: { secret: 'KIWI_TEST_TOKEN' } } } },
    )
    const { addresses } = await release('configured')
    expect(await (await fetch(addresses[0] ?? '')).text()).toBe('hi 12')
    delete process.env.KIWI_TEST_TOKEN
  })

  it('runs its migration first, and rolls from instance to instance without a failed request', async () => {
    const migrate = `const { appendFileSync } = require('node:fs'); appendFileSync('/data/migrations', 'once\\n')`
    const text = `const { readFileSync } = require('node:fs')
      const migrated = readFileSync('/data/migrations', 'utf8')
      require('node:http').createServer((_, response) => response.end(migrated)).listen(process.env.PORT)`
    const data = join(home, 'migrated')
    mkdirSync(data)
    const name = 'rolled'
    const environment = {
      volumes: [{ source: data, path: '/data' }],
      beforeSwitch: { command: ['node', 'migrate.js'] },
    }
    execFileSync('chmod', ['777', data])
    await serve(name, { ...app, 'server.js': text, 'migrate.js': migrate }, { environment })
    const { addresses } = await release(name)
    expect(await (await fetch(addresses[0] ?? '')).text()).toBe('once\n')
    const failures: string[] = []
    let over = false
    const load = (async () => {
      while (!over) {
        const answer = await fetch(addresses[0] ?? '').then(({ status }) => String(status), String)
        if (answer !== '200') failures.push(answer)
      }
    })()
    await (await kiwi.restart(name, { environment: 'production', by: 'test' })).result
    await release(name)
    over = true
    await load
    expect(failures).toEqual([])
    expect(await (await fetch(addresses[0] ?? '')).text()).toBe('once\nonce\n')
  })
})

describe('what a person does wrong is told by code, stage, evidence and hint', { timeout: 60_000 }, () => {
  it('a ref that is not there, with the ones that are close', async () => {
    await serve('ref', app)
    expect(await failure('ref', 'mian')).toMatchObject({
      code: 'REF_NOT_FOUND',
      stage: 'source',
      effect: 'none',
      evidence: expect.anything(),
    })
  })

  it('a Dockerfile that is not there, with those that are', async () => {
    await serve(
      'lost',
      { ...app, 'Dockerfile.prod': 'FROM scratch\n' },
      {
        build: { dockerfile: { mode: 'path', path: 'docker/Dockerfile' } },
      },
    )
    expect(await failure('lost')).toMatchObject({
      code: 'DOCKERFILE_MISSING',
      stage: 'analyse',
      evidence: { found: ['Dockerfile.prod'] },
    })
  })

  it('a Dockerfile with a mistake, by line', async () => {
    await serve('typo', { Dockerfile: 'FROM scratch\nCPOY . .\n' })
    expect(await failure('typo')).toMatchObject({
      code: 'DOCKERFILE_SYNTAX',
      stage: 'analyse',
      effect: 'none',
      message: expect.stringContaining('line 2'),
    })
  })

  it('an application that nobody recognises', async () => {
    await serve('riddle', { 'notes.txt': 'nothing' })
    expect(await failure('riddle')).toMatchObject({
      code: 'STACK_UNKNOWN',
      stage: 'analyse',
      evidence: expect.anything(),
    })
  })

  it('a RUN that fails: step, exit code and its last lines', async () => {
    await serve('broken', {
      ...app,
      Dockerfile: `FROM ${base}\nWORKDIR /app\nCOPY . .\nRUN echo almost && echo 'it went wrong' >&2 && exit 7\n`,
    })
    expect(await failure('broken')).toMatchObject({
      code: 'BUILD_STEP_FAILED',
      stage: 'build',
      evidence: { line: 4, exitCode: 7, lastLines: expect.arrayContaining(['it went wrong']) },
    })
  })

  it('a base image that is nowhere', async () => {
    await serve('baseless', { Dockerfile: 'FROM embedded/nothing:1\n' })
    expect(await failure('baseless')).toMatchObject({
      code: 'BASE_IMAGE_MISSING',
      stage: 'build',
      evidence: { image: 'embedded/nothing:1' },
    })
  })

  it('a port that another program has, before anything is started', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as AddressInfo
    await serve('taken', app, { environment: { publish: { port } } })
    expect(await failure('taken')).toMatchObject({
      code: 'PORT_TAKEN',
      stage: 'deploy',
      effect: 'none',
      message: expect.stringContaining(String(port)),
    })
    other.close()
  })

  it('a secret that is missing, by its name, before anything is done', async () => {
    await serve('secretless', app, { environment: { env: { TOKEN: { secret: 'KIWI_TEST_NOWHERE' } } } })
    expect(await failure('secretless')).toMatchObject({
      code: 'SECRET_MISSING',
      stage: 'source',
      message: expect.stringContaining('KIWI_TEST_NOWHERE'),
    })
  })

  it('an application that dies, with what it said', async () => {
    await serve('mortal', { ...app, 'server.js': `console.error('no database'); process.exit(3)` })
    expect(await failure('mortal')).toMatchObject({
      code: 'INSTANCE_CRASHED',
      stage: 'deploy',
      evidence: { lastOutput: expect.arrayContaining(['no database']) },
    })
  })

  it('an application that never answers, with what was waited for', async () => {
    await serve(
      'mute',
      { ...app, 'server.js': 'setInterval(() => {}, 1000)' },
      { environment: { readyWithinMs: 1_500 } },
    )
    expect(await failure('mute')).toMatchObject({ code: 'ROLLOUT_DEADLINE', stage: 'deploy' })
  })

  it('an answer that is not the one asked for: the release before is back', async () => {
    await serve('choosy', app)
    await release('choosy')
    const definition = await kiwi.services.get('choosy')
    if (!definition) throw new Error('it is not registered')
    const production = { runtime: 'local', stopGraceMs: 1_000, verify: { path: '/', status: 418 } }
    await kiwi.services.register({ ...definition, environments: { production } })
    expect(await failure('choosy')).toMatchObject({ code: 'VERIFY_FAILED', stage: 'verify', effect: 'done' })
    const state = await kiwi.history('choosy', 'production')
    expect(state.map(({ status }) => status)).toEqual(['succeeded', 'failed'])
    expect(await (await fetch(state[0]?.addresses[0] ?? '')).text()).toBe('hello')
  })
})

describe('a full disk', () => {
  const root = process.getuid?.() === 0 && process.platform === 'linux'

  it('is told by name, and the store stays whole', { timeout: 60_000 }, async ({ skip }) => {
    if (!root) skip('needs root on Linux, to mount a small file system')
    const small = join(home, 'small')
    mkdirSync(small)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small])
    try {
      const cramped = await createEmbeddedKiwi({ directory: small })
      const thrown = await cramped.provideNodeImage().catch((error: unknown) => KiwiError.from(error))
      expect(thrown).toMatchObject({ code: 'DISK_FULL' })
      await cramped.close()
    } finally {
      execFileSync('umount', [small])
    }
  })
})

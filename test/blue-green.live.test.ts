import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kiwi, Release, Run, ServiceDefinition } from '@kiwi/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, type Load, startLoad } from '../examples/quickstart/load.ts'
import { cleanDocker, cleanKubernetes } from './blue-green/clean.js'
import { startKiwi } from './blue-green/host.mjs'

const host = join(import.meta.dirname, 'blue-green', 'host.mjs')
const { KIWI_LIVE_REGISTRY: registry, KIWI_LIVE_DOCKER_HOST: docker, KIWI_LIVE_KUBECONFIG: kubeconfig } = process.env

const platforms = [
  { platform: 'docker' as const, there: registry && docker, clean: cleanDocker },
  { platform: 'kubernetes' as const, there: registry && kubeconfig, clean: cleanKubernetes },
]

describe.each(platforms)('the same rollout on $platform', ({ platform, there, clean }) => {
  if (!there)
    console.warn(`SKIPPED: the rollout on ${platform}: set KIWI_LIVE_REGISTRY and the platform's own variable`)
  const service = `line-${process.pid}`
  let home: string
  let kiwi: Kiwi
  let url: string
  let load: Load

  beforeAll(async () => {
    if (!there) return
    home = mkdtempSync(join(tmpdir(), 'kiwi-blue-green-'))
    makeRepository(join(home, 'repository'))
    kiwi = await startKiwi({ home, platform })
    await kiwi.services.register(definition(service, platform, join(home, 'repository')))
  })
  afterAll(async () => {
    if (!there) return
    await load?.stop()
    await kiwi.close()
    await clean(service)
    rmSync(home, { recursive: true })
  }, 60_000)

  const release = (more: { hold?: boolean } = {}) =>
    kiwi.release(service, { ref: 'main', environment: 'test', by: 'ana', ...more })
  const commit = (text: string) => write(join(home, 'repository'), text)
  const history = async () =>
    (await kiwi.history(service, 'test')).map(({ number, kind, status }) => `${number} ${kind} ${status}`)

  it.skipIf(!there)('brings the first release up', { timeout: 120_000 }, async () => {
    const first = await (await release()).result
    url = first.addresses[0] ?? ''
    expect(await ask(url)).toBe('one')
    load = startLoad(url, { everyMs: 10 })
  })

  it.skipIf(!there)('promotes the second when it is told to, and not before', { timeout: 60_000 }, async () => {
    commit('two')
    const run = await release({ hold: true })
    await waitsFor(run, 'someone promotes it')
    expect(await ask(url)).toBe('one')
    await kiwi.promote(run.id, { by: 'bob' })
    await run.result
    expect(await ask(url)).toBe('two')
  })

  it.skipIf(!there)(
    'reverts a third while it is open: its slot goes, nothing else happens',
    { timeout: 60_000 },
    async () => {
      commit('three')
      const run = await release({ hold: true })
      await waitsFor(run, 'someone promotes it')
      await kiwi.revert(run.id, { by: 'bob' })
      await expect(run.result).rejects.toMatchObject({ code: 'CANCELLED' })
      expect(await ask(url)).toBe('two')
    },
  )

  it.skipIf(!there)(
    'reverts the second after its run has ended: the first is back by its slot',
    { timeout: 60_000 },
    async () => {
      const second = (await kiwi.history(service, 'test')).find(({ number }) => number === 2)
      const run = await kiwi.revert(second?.runId ?? '', { by: 'bob' })
      expect(await run?.result).toMatchObject({ kind: 'rollback', slot: 'r1' })
      expect(await ask(url)).toBe('one')
    },
  )

  it.skipIf(!there).each(['rollout: before route', 'rollout: after route'])(
    'goes on in another process when the host is killed, %s',
    { timeout: 90_000 },
    async (killAt) => {
      const text = `killed ${killAt}`
      commit(text)
      const before = await history()
      const killed = runHost({ home, platform, service, killAt })
      expect(killed.signal).toBe('SIGKILL')
      const resumed = runHost({ home, platform, service, resume: true })
      expect(resumed.release, resumed.output).toMatchObject({ status: 'succeeded' })
      expect(await ask(url)).toBe(text)
      expect((await history()).length).toBe(before.length + 1)
    },
  )

  it.skipIf(!there)('kept a constant load served: no request failed', async () => {
    await load.stop()
    console.log(`${platform}: ${load.counts.total} requests, ${load.counts.failed} failed`)
    expect(load.failures).toEqual([])
    expect(load.counts.total).toBeGreaterThan(500)
  })
})

async function waitsFor(run: Run, what: string): Promise<void> {
  for await (const event of run) if (event.type === 'rollout' && event.what === what) return
  await run.result // it ended before it waited: why is in there
}

function runHost(options: object): { signal: string | null; release?: Release; output: string } {
  const { signal, stdout, stderr } = spawnSync(process.execPath, [host, JSON.stringify(options)], {
    encoding: 'utf8',
    timeout: 80_000,
  })
  const line = stdout.trim().split('\n').at(-1)
  return { signal, output: stdout + stderr, ...(line?.startsWith('{') && { release: JSON.parse(line) }) }
}

function makeRepository(directory: string): void {
  mkdirSync(join(directory, 'www'), { recursive: true })
  writeFileSync(
    join(directory, 'Dockerfile'),
    `FROM ${registry}/library/busybox:1.36\nCOPY www /www\nCMD ["sh", "-c", "trap 'exit 0' TERM; httpd -f -p $PORT -h /www & wait"]\n`,
  )
  execFileSync('git', ['init', '--quiet', '--initial-branch=main', directory])
  write(directory, 'one')
}

function write(directory: string, text: string): void {
  writeFileSync(join(directory, 'www', 'index.html'), text)
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', directory, '-c', 'user.name=a', '-c', 'user.email=a@localhost', ...args])
  git('add', '--all')
  git('commit', '--quiet', `--message=${text}`)
}

function definition(name: string, platform: string, git: string): ServiceDefinition {
  return {
    name,
    source: { git },
    image: { registry: 'open', repository: 'kiwi-test/blue-green' },
    environments: {
      test: {
        runtime: platform,
        namespace: name,
        replicas: 2,
        strategy: 'blue-green',
        health: { path: '/', intervalMs: 1_000 },
        stopGraceMs: 2_000,
        readyWithinMs: 60_000,
      },
    },
  }
}

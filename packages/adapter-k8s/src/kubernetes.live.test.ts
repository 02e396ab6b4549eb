import { readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Action, type EnsureSlot, type InstanceSpec, KiwiError, type Snapshot, type Target } from '@kiwi/core'
import { runtimeKit, testContext } from '@kiwi/core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { act as actOn } from './act.js'
import { connect } from './connect.js'
import { kubernetesRuntime } from './index.js'
import { pushServer } from './testing/image.js'
import { ask, load } from './testing/load.js'
import { relay } from './testing/relay.js'
import { watching } from './testing/watching.js'
import type { Client } from './transport/client.js'

const kubeconfig = process.env.KIWI_LIVE_KUBECONFIG ?? ''
const registry = process.env.KIWI_LIVE_REGISTRY ?? ''
const missing = kubeconfig === '' || registry === ''
if (missing)
  console.warn('SKIPPED: the Kubernetes tests need KIWI_LIVE_KUBECONFIG (a path) and KIWI_LIVE_REGISTRY (host:port)')

const namespace = `kiwi-live-${process.pid}`
const publish = { protocol: 'http', address: '127.0.0.1', port: 0 } as const
const spec: InstanceSpec = {
  env: {},
  port: 8080,
  health: { type: 'http', path: '/', intervalMs: 1000, timeoutMs: 1000 },
  volumes: [],
  resources: { requests: {}, limits: {} },
  stopGraceMs: 1000,
}
const timeout = 120_000

describe.skipIf(missing)('a Kubernetes runtime on a real cluster', { timeout }, () => {
  const runtime = kubernetesRuntime({ kubeconfig, namespace })
  const targetOf = (service: string): Target => ({ service, environment: 'production', publish })
  let client: Client
  let images: readonly [one: EnsureSlot['image'], two: EnsureSlot['image']]

  const order = (slot: string, image: EnsureSlot['image'], more: Partial<InstanceSpec> = {}, replicas = 2) => ({
    type: 'ensure-slot' as const,
    slot,
    release: `web/production/${slot}`,
    image,
    spec: { ...spec, ...more },
    replicas,
  })
  const once = (task: string, slot: string, command = ['sh', '-c', 'echo it is migrated'], image = images[0]) => ({
    ...{ type: 'run-once' as const, task, slot, release: `web/production/${slot}`, image, spec, command },
  })
  const read = <T>(path: string) => client.read<T>({ path }, testContext().signal)

  beforeAll(async () => {
    images = [await pushServer(registry, 'v1'), await pushServer(registry, 'v2')]
    client = await connect({ kubeconfig, namespace })
  })
  afterAll(async () => {
    await client?.ask({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}` }, testContext().signal)
  })

  test('says which cluster answers and that no right is missing', async () => {
    const found = await runtime.probe(testContext())
    expect(found).toMatchObject({ ok: true, details: { namespace, missing: 'none' } })
    expect(found.summary).toMatch(/^Kubernetes v1\.\d+/)
  })

  test('moves the route from slot to slot and back under load without a failed request', async () => {
    const target = targetOf('web')
    const context = testContext({ token: 1 })
    await runtime.claim(target, context)
    await using seen = watching(runtime, target, context)
    const empty = await seen.until('it is claimed', ({ fence }) => fence === 1)
    expect(empty).toMatchObject({ slots: [], route: { slots: [], settled: true } })
    const [address = ''] = empty.route.addresses
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)

    await runtime.act(target, { ...order('one', images[0]), revision: empty.revision }, context)
    const first = await seen.until('slot one is ready', isReady('one', 2))
    expect(first.slots[0]).toMatchObject({
      id: 'one',
      release: 'web/production/one',
      digest: images[0].digest,
      replicas: 2,
    })
    expect(first.route.slots).toEqual([])
    await runtime.act(target, { type: 'route', revision: first.revision, from: [], to: ['one'] }, context)
    await seen.until('all traffic goes to one', isRouted('one'))

    const traffic = load(address) // at once: settled means that requests arrive
    await runtime.act(target, { ...order('two', images[1]), revision: newest(seen.all).revision }, context)
    await seen.until('slot two is ready', isReady('two', 2))
    for (const [from, to, version] of [
      ['one', 'two', 'v2'],
      ['two', 'one', 'v1'],
      ['one', 'two', 'v2'],
      ['two', 'one', 'v1'],
    ] as const) {
      const { revision } = await seen.until('it is settled', isRouted(from))
      await runtime.act(target, { type: 'route', revision, from: [from], to: [to] }, context)
      await seen.until(`all traffic goes to ${to}`, isRouted(to))
      for (let request = 0; request < 20; request++) expect(await ask(address)).toBe(version)
    }
    await traffic.stop()
    console.log('requests', Object.fromEntries(traffic.answers), 'failed', traffic.failures.length)
    expect(traffic.failures).toEqual([])
    expect([...traffic.answers.keys()].sort()).toEqual(['v1', 'v2'])

    const { revision } = newest(seen.all)
    const routed = runtime.act(target, { type: 'remove-slot', revision, slot: 'one' }, context)
    await expect(routed).rejects.toMatchObject({ code: 'RUNTIME_FAILED', effect: 'none' })
    await runtime.act(target, { ...order('two', images[1], {}, 0), release: 'another', revision }, context)
    const warm = await seen.until('two is empty', ({ slots }) => slots.find(({ id }) => id === 'two')?.replicas === 0)
    expect(warm.slots.find(({ id }) => id === 'two')?.release, 'a slot keeps its release').toBe('web/production/two')
    await runtime.act(target, { type: 'remove-slot', revision: warm.revision, slot: 'two' }, context)
    await seen.until('two is gone', ({ slots }) => slots.every(({ id }) => id !== 'two'))
    expect(await ask(address)).toBe('v1')
  })

  test('refuses an act that was decided on an older state, and one of an overtaken operation', async () => {
    const target = targetOf('fence')
    const old = testContext({ token: 3 })
    await runtime.claim(target, old)
    await using seen = watching(runtime, target, old)
    const { revision } = await seen.until('it is claimed', ({ fence }) => fence === 3)
    await runtime.act(target, { ...order('one', images[0], {}, 1), revision }, old)
    const stale = runtime.act(target, { ...order('two', images[1], {}, 1), revision }, old)
    await expect(stale).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })

    const ready = await seen.until('one is ready', isReady('one', 1))
    await runtime.act(target, { type: 'route', revision: ready.revision, from: [], to: ['one'] }, old)
    await runtime.claim(target, testContext({ token: 4 }))
    await runtime.claim(target, testContext({ token: 4 })) // again: a crash in between changes nothing
    const now = await seen.until('the newer claim shows', ({ fence }) => fence === 4)
    const actions = [
      { type: 'route', revision: now.revision, from: ['one'], to: [] },
      { ...order('one', images[0], {}, 0), revision: now.revision },
      { ...once('migrate', 'one'), revision: now.revision },
      { type: 'remove-slot', revision: now.revision, slot: 'one' },
      { ...order('two', images[1]), revision: now.revision },
    ] as const
    for (const action of actions) {
      await expect(runtime.act(target, action, old), action.type).rejects.toMatchObject({
        code: 'FENCED',
        effect: 'none',
      })
    }
    await expect(runtime.claim(target, old)).rejects.toMatchObject({ code: 'FENCED', effect: 'none' })
    const slots = await read<{ items: { metadata: { annotations: Record<string, string> } }[] }>(
      `/apis/apps/v1/namespaces/${namespace}/deployments`,
    )
    const tokens = slots?.items.map(({ metadata }) => metadata.annotations['kiwi.dev/token'])
    expect(tokens).toContain('4')
  })

  test('refuses a write that was overtaken between its look and its write', async () => {
    const target = targetOf('race')
    const first = testContext({ token: 1 })
    await runtime.claim(target, first)
    await using seen = watching(runtime, target, first)
    let token = 1
    const act = (action: Action) => runtime.act(target, action, testContext({ token }))
    const { revision } = await seen.until('it is claimed', ({ fence }) => fence === 1)
    await act({ ...order('one', images[0], {}, 1), revision })
    const withOne = await seen.until('one is there', ({ slots }) => slots.length === 1)
    await act({ ...order('two', images[1], {}, 1), revision: withOne.revision })
    await seen.until('two is there', ({ slots }) => slots.length === 2)
    const sleeps = once('sleeps', 'tasks-only', ['sleep', '600'])
    await act({ ...sleeps, revision: newest(seen.all).revision })
    await seen.until('the command runs', ({ tasks }) => tasks[0]?.phase === 'running')
    await act({ type: 'route', revision: newest(seen.all).revision, from: [], to: ['one'] })
    await seen.until('it is routed', ({ route }) => route.slots[0] === 'one')

    const { revision: now } = newest(seen.all)
    const overtaken: Action[] = [
      { type: 'route', revision: now, from: ['one'], to: ['two'] },
      { ...order('two', images[1], {}, 3), revision: now },
      { type: 'remove-slot', revision: now, slot: 'tasks-only' },
      { type: 'remove-slot', revision: now, slot: 'two' },
      { ...order('two', images[0], {}, 1), revision: now },
    ]
    for (const action of overtaken) {
      const { revision } = await seen.until('the claim shows', ({ fence }) => fence === token)
      const mine = testContext({ token })
      token += 1
      const late = before(client, () => runtime.claim(target, testContext({ token })))
      const acted = actOn(late, target, { ...action, revision }, mine)
      await expect(acted, action.type).rejects.toMatchObject({ code: 'FENCED', effect: 'none' })
    }
    const after = await seen.until('the last claim shows', ({ fence }) => fence === token)
    expect(after.route.slots).toEqual(['one'])
    expect(after.tasks).toMatchObject([{ id: 'sleeps', phase: 'running' }])
    expect(after.slots.map(({ id, replicas, digest }) => [id, replicas, digest])).toEqual([
      ['one', 1, images[0].digest],
      ['two', 1, images[1].digest],
    ])
  })

  test('gives an instance its variables as they are, and secrets by reference only', async () => {
    const target = targetOf('env')
    const context = testContext({ token: 1, secrets: { DATABASE: 'pg://u:p@ss$(PORT)\nline' } })
    await runtime.claim(target, context)
    await using seen = watching(runtime, target, context)
    const { revision } = await seen.until('it is claimed', ({ fence }) => fence === 1)
    const script =
      'mkdir /www && printf "%s|%s|%s" "$GREETING" "$DATABASE" "$PORT" >/www/index.html && exec httpd -f -p "$PORT" -h /www'
    const env = { GREETING: '$(PORT) $$ $HOME', DATABASE: { secret: 'DATABASE' } }
    const action = order('one', images[0], { env, entrypoint: ['sh', '-c', script] }, 1)
    await runtime.act(target, { ...action, revision }, context)
    const ready = await seen.until('one is ready', isReady('one', 1))
    await runtime.act(target, { ...action, revision: ready.revision }, context)
    expect(newest(seen.all).revision, 'the same order changes nothing').toBe(ready.revision)
    await runtime.act(target, { type: 'route', revision: ready.revision, from: [], to: ['one'] }, context)
    const [address = ''] = (await seen.until('it is routed', isRouted('one'))).route.addresses
    await untilAnswer(address, '$(PORT) $$ $HOME|pg://u:p@ss$(PORT)\nline|8080')

    const deployments = await read(`/apis/apps/v1/namespaces/${namespace}/deployments/env-production-one`)
    expect(JSON.stringify(deployments)).not.toContain('p@ss')
    const missingSecret = runtime.act(target, { ...action, revision: ready.revision }, testContext({ token: 1 }))
    await expect(missingSecret).rejects.toMatchObject({ code: 'CONFLICT' }) // the route moved the revision
    const rotated = testContext({ token: 1, secrets: { DATABASE: 'other' } })
    await runtime.act(target, { ...action, revision: newest(seen.all).revision }, rotated)
    await seen.until(
      'the new value is in use',
      (snapshot) => isReady('one', 1)(snapshot) && snapshot.revision !== ready.revision,
    )
    await untilAnswer(address, '$(PORT) $$ $HOME|other|8080')
    const secrets = await read<{ items: { metadata: { ownerReferences: { kind: string }[] } }[] }>(
      `/api/v1/namespaces/${namespace}/secrets`,
    )
    expect(secrets?.items.map(({ metadata }) => metadata.ownerReferences.map(({ kind }) => kind))).toEqual([
      ['Deployment'],
      ['Deployment'],
    ])
  })

  test('says why an instance does not become ready, in the platform’s first and most precise words', async () => {
    const target = targetOf('trouble')
    const context = testContext({ token: 1 })
    await runtime.claim(target, context)
    await using seen = watching(runtime, target, context)
    const claimed = await seen.until('it is claimed', ({ fence }) => fence === 1)
    const nowhere = `sha256:${'0'.repeat(64)}`
    const unknown = { ...images[0], digest: nowhere, pull: `${registry}/kiwi-adapter-k8s-test@${nowhere}` }
    await runtime.act(target, { ...order('unknown', unknown, {}, 1), revision: claimed.revision }, context)
    const backingOff = await seen.until('it backs off', says('unknown', 'ImagePullBackOff'), 60_000)
    expect(instancesOf(backingOff, 'unknown')[0]?.message).toMatch(/not found/)

    const crash = { entrypoint: ['sh', '-c', 'echo the database is not there; exit 3'] }
    await runtime.act(target, { ...order('crash', images[0], crash, 1), revision: backingOff.revision }, context)
    const crashed = await seen.until(
      'it crashed twice',
      (snapshot) => (instancesOf(snapshot, 'crash')[0]?.restarts ?? 0) >= 1,
    )
    expect(instancesOf(crashed, 'crash')[0]).toMatchObject({ ready: false, exitCode: 3 })
    const evidence = await runtime.evidence(target, 'crash', context)
    expect(evidence.instances[0]?.exitCode).toBe(3)
    expect(evidence.instances[0]?.lastOutput).toContain('the database is not there')
    const pulled = await runtime.evidence(target, 'unknown', context)
    expect(pulled.instances[0]?.lastOutput.join('\n')).toMatch(/not found/)

    const quota = { metadata: { name: 'none' }, spec: { hard: { pods: '0' } } }
    await client.ask(
      { method: 'POST', path: `/api/v1/namespaces/${namespace}/resourcequotas`, body: quota },
      context.signal,
    )
    await sleep(1000)
    await runtime.act(target, { ...order('refused', images[0], {}, 2), revision: newest(seen.all).revision }, context)
    const refused = await seen.until('the refusal shows', says('refused', 'FailedCreate'))
    expect(instancesOf(refused, 'refused')).toHaveLength(2)
    expect(instancesOf(refused, 'refused')[0]?.message).toMatch(/exceeded quota/)
    await client.ask({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}/resourcequotas/none` }, context.signal)
  })

  test('refuses a port that is taken before anything is made', async () => {
    const context = testContext({ token: 1 })
    const other = targetOf('port-one')
    await runtime.claim(other, context)
    await using seen = watching(runtime, other, context)
    const [address = ''] = (await seen.until('it is claimed', ({ fence }) => fence === 1)).route.addresses
    const port = Number(new URL(address).port)
    const taken = runtime.claim({ ...targetOf('port-two'), publish: { ...publish, port } }, context)
    await expect(taken).rejects.toMatchObject({ code: 'PORT_TAKEN', effect: 'none' })
    await runtime.claim({ ...other, publish: { ...publish, port: 31_999 } }, testContext({ token: 2 }))
    await seen.until('the port changed', ({ route }) => route.addresses[0] === 'http://127.0.0.1:31999')
  })

  test('goes on observing when the API server was away', async () => {
    const text = await readFile(kubeconfig, 'utf8')
    const port = Number(/server: "?https:\/\/[^:]+:(\d+)/.exec(text)?.[1])
    await using between = await relay(port)
    const path = join(tmpdir(), `${namespace}.kubeconfig`)
    await writeFile(path, text.replace(/(server: "?https:\/\/)[^:]+:\d+/, `$1127.0.0.1:${between.port}`), {
      mode: 0o600,
    })
    const through = kubernetesRuntime({ kubeconfig: path, namespace })
    const target = targetOf('drops')
    const context = testContext({ token: 1 })
    await through.claim(target, context)
    await using seen = watching(through, target, context)
    await seen.until('it is claimed', ({ fence }) => fence === 1)
    between.breakAll()
    await runtime.claim(target, testContext({ token: 2 }))
    await seen.until('what changed after a break shows', ({ fence }) => fence === 2)
    between.breakAll({ refusing: true })
    await runtime.claim(target, testContext({ token: 3 }))
    await sleep(3000)
    expect(newest(seen.all).fence).toBe(2)
    const lost = through.claim(target, testContext({ token: 4 }))
    await expect(lost).rejects.toMatchObject({ code: 'RUNTIME_UNREACHABLE', effect: 'none' })
    between.accept()
    await seen.until('what changed meanwhile shows', ({ fence }) => fence === 3)
    await rm(path)
  })

  test('gives an instance what it asks for, and stops one first that is not ready', async () => {
    const target = targetOf('sizes')
    const context = testContext({ token: 1 })
    await runtime.claim(target, context)
    await using seen = watching(runtime, target, context)
    const { revision } = await seen.until('it is claimed', ({ fence }) => fence === 1)
    const resources = { requests: { cpuMillis: 10 }, limits: { cpuMillis: 250, memoryBytes: 32 * 1024 * 1024 } }
    const sized = (replicas: number) => order('one', images[0], { resources }, replicas)
    await runtime.act(target, { ...sized(2), revision }, context)
    const ready = await seen.until('one is ready', isReady('one', 2))
    const pods = await read<{
      items: { metadata: { labels: Record<string, string> }; spec: { containers: unknown[] } }[]
    }>(`/api/v1/namespaces/${namespace}/pods`)
    const own = pods?.items.filter(({ metadata }) => metadata.labels['kiwi.dev/service'] === 'sizes')
    expect(own?.[0]?.spec.containers).toMatchObject([
      { resources: { requests: { cpu: '10m' }, limits: { cpu: '250m', memory: '33554432' } } },
    ])
    const sound = instancesOf(ready, 'one').map(({ id }) => id)
    const quota = { metadata: { name: 'none' }, spec: { hard: { pods: '0' } } }
    const quotas = `/api/v1/namespaces/${namespace}/resourcequotas`
    await client.ask({ method: 'POST', path: quotas, body: quota }, context.signal)
    await sleep(1000)
    await runtime.act(target, { ...sized(3), revision: ready.revision }, context)
    const lacking = await seen.until('the third is refused', says('one', 'FailedCreate'))
    await runtime.act(target, { ...sized(2), revision: lacking.revision }, context)
    const again = await seen.until('two are left', (one) => one.slots[0]?.replicas === 2 && isReady('one', 2)(one))
    expect(
      instancesOf(again, 'one')
        .map(({ id }) => id)
        .filter((id) => sound.includes(id)),
    ).toEqual(sound)
    await client.ask({ method: 'DELETE', path: `${quotas}/none` }, context.signal)
  })

  test('removes what its claim made, and its commands, but no sooner than the last slot', async () => {
    const target = targetOf('removed')
    const context = testContext({ token: 9, secrets: { KEY: 'value' } })
    await runtime.claim(target, context)
    await using seen = watching(runtime, target, context)
    const claimed = await seen.until('it is claimed', ({ fence }) => fence === 9)
    const env = { KEY: { secret: 'KEY' } }
    const migrate = { ...once('migrate', 'one'), spec: { ...spec, env } }
    await runtime.act(target, { ...migrate, revision: claimed.revision }, context)
    const done = await seen.until('it is migrated', ({ tasks }) => tasks[0]?.phase === 'succeeded')
    await runtime.act(target, { ...order('two', images[0], { env }, 1), revision: done.revision }, context)
    const { revision } = await seen.until('two is there', ({ slots }) => slots.length === 1)
    const early = runtime.act(target, { type: 'remove-target', revision }, context)
    await expect(early).rejects.toMatchObject({ code: 'RUNTIME_FAILED', effect: 'none' })
    await runtime.act(target, { type: 'remove-slot', revision, slot: 'two' }, context)
    const empty = await seen.until('two is gone', ({ slots }) => slots.length === 0)
    await runtime.act(target, { type: 'remove-target', revision: empty.revision }, context)
    const gone = await seen.until('all is gone', ({ fence, tasks }) => fence === 0 && tasks.length === 0)
    expect(gone.route.addresses).toEqual([])
    const left = async () => {
      const kinds = ['api/v1', 'services', 'api/v1', 'secrets', 'api/v1', 'pods', 'apis/batch/v1', 'jobs']
      const names: string[] = []
      for (let index = 0; index < kinds.length; index += 2) {
        const path = `/${kinds[index]}/namespaces/${namespace}/${kinds[index + 1]}`
        const query = { labelSelector: 'kiwi.dev/service=removed' }
        const list = await client.read<{ items: { metadata: { name: string } }[] }>({ path, query }, context.signal)
        names.push(...(list?.items ?? []).map(({ metadata }) => metadata.name))
      }
      return names
    }
    await expect.poll(left, { timeout: 30_000 }).toEqual([])
    await runtime.claim(target, testContext({ token: 1 }))
    await seen.until('the next claim begins anew', ({ fence }) => fence === 1)
  })

  test('names what is wrong with a kubeconfig', async () => {
    const nowhere = kubernetesRuntime({ kubeconfig: '/nowhere/kubeconfig' })
    expect(await nowhere.probe(testContext())).toMatchObject({ ok: false, details: { code: 'INPUT_INVALID' } })
    const context = kubernetesRuntime({ kubeconfig, context: 'elsewhere' })
    expect((await context.probe(testContext())).summary).toContain('no context elsewhere')
  })
})

describe.skipIf(missing)('a Kubernetes runtime keeps the contract', { timeout }, () => {
  const runtime = kubernetesRuntime({ kubeconfig })
  const kit = runtimeKit({
    runtime: () => runtime,
    images: async () => [await pushServer(registry, 'v1'), await pushServer(registry, 'v2')],
    answers: ['v1', 'v2'],
    target: { namespace: `${namespace}-kit` },
    withinMs: 60_000,
  })
  afterAll(async () => {
    const client = await connect({ kubeconfig })
    await client.ask({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}-kit` }, testContext().signal)
  })
  for (const one of kit) test(one.name, one.run)
})

/** The same client, where something else happens just before the first write. */
function before(client: Client, first: () => Promise<void>): Client {
  let done = false
  return {
    ...client,
    async ask(request, signal) {
      if (request.method !== 'GET' && !done) {
        done = true
        await first()
      }
      return client.ask(request, signal)
    },
  }
}

function newest(all: readonly Snapshot[]): Snapshot {
  const snapshot = all.at(-1)
  if (!snapshot) throw new KiwiError('INTERNAL', 'nothing was seen')
  return snapshot
}

function instancesOf({ slots }: Snapshot, slot: string) {
  return slots.find(({ id }) => id === slot)?.instances ?? []
}

function isReady(slot: string, replicas: number) {
  return (snapshot: Snapshot) => instancesOf(snapshot, slot).filter(({ ready }) => ready).length === replicas
}

function isRouted(slot: string) {
  return ({ route }: Snapshot) => route.slots.join() === slot && route.settled
}

function says(slot: string, reason: string) {
  return (snapshot: Snapshot) => instancesOf(snapshot, slot).some((instance) => instance.reason === reason)
}

/** The cluster's nodes learn of a route some moments after its API shows it. */
async function untilAnswer(address: string, text: string): Promise<void> {
  for (const end = Date.now() + 10_000; ; await sleep(50)) {
    const answer = await ask(address).catch(String)
    if (answer === text) return
    if (Date.now() > end) throw new Error(`${address} answers ${answer}, not ${text}`)
  }
}

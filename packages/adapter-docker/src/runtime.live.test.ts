import type { ImageAtUse, Target } from '@kiwi/core'
import { runtimeKit, testContext } from '@kiwi/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  clean,
  ensure,
  isReady,
  liveEngine,
  now,
  pushTestImage,
  removeTestImages,
  testSpec,
  until,
} from '../test/live.js'
import { ask, load } from '../test/load.js'
import { connect } from './connect.js'
import { dockerRuntime } from './index.js'

const live = liveEngine()

describe.skipIf(live === undefined)('the Docker runtime on a real engine', { timeout: 60_000 }, () => {
  const docker = connect({ url: live?.url })
  const runtime = dockerRuntime({ connection: { url: live?.url }, edge: live?.edge ?? { image: '' } })
  const target: Target = {
    service: 'live-web',
    environment: 'test',
    publish: { protocol: 'http', address: '127.0.0.1', port: 0 },
  }
  const context = (token: number) => testContext({ token, secrets: { PASSWORD: 'pa$$ w0rd' } })
  let one: ImageAtUse
  let two: ImageAtUse

  beforeAll(async () => {
    await clean(docker, target.service)
    one = await pushTestImage(docker, live?.registry ?? '', 'one')
    two = await pushTestImage(docker, live?.registry ?? '', 'two')
  }, 120_000)
  afterAll(async () => {
    await clean(docker, target.service)
    await removeTestImages(docker)
  }, 60_000)

  const route = async (token: number, from: string[], to: string[]) => {
    const { revision } = await now(runtime, target)
    await runtime.act(target, { type: 'route', revision, from, to }, context(token))
  }

  it('says which engine answers', async () => {
    expect(await runtime.probe(context(1))).toMatchObject({ ok: true, details: { api: '1.41' } })
  })

  it('shows nothing of a target that was never claimed', async () => {
    expect(await now(runtime, target)).toMatchObject({ fence: 0, slots: [], route: { slots: [], addresses: [] } })
  })

  it('is claimed, with an address that answers before anything is routed', async () => {
    await runtime.claim(target, context(5))
    const seen = await now(runtime, target)
    expect(seen).toMatchObject({ fence: 5, slots: [], route: { slots: [], settled: true, draining: 0 } })
    await expect(ask(seen.route.addresses[0] ?? '')).rejects.toThrow('503 no release is routed')
  })

  it('brings up two slots beside each other, with their environment and secrets', async () => {
    const { revision } = await now(runtime, target)
    await runtime.act(target, ensure(revision, 'a', one), context(5))
    const first = await until(runtime, target, isReady('a', 2))
    await runtime.act(target, ensure(first.revision, 'b', two), context(5))
    const second = await until(runtime, target, isReady('b', 2))
    expect(second.slots).toMatchObject([
      { id: 'a', release: 'release-a', digest: one.digest, replicas: 2 },
      { id: 'b', release: 'release-b', digest: two.digest, replicas: 2 },
    ])
    await runtime.act(target, { type: 'route', revision: second.revision, from: [], to: ['a'] }, context(5))
    expect(await ask(`${second.route.addresses[0]}/cgi-bin/env`)).toBe('hello pa$$ w0rd')
  })

  it('leaves a slot alone that is as it was asked for', async () => {
    const before = await now(runtime, target)
    await runtime.act(target, ensure(before.revision, 'a', one), context(5))
    expect(await now(runtime, target)).toEqual(before)
  })

  it('moves the route there and back under load and loses no request', async () => {
    const [address = ''] = (await now(runtime, target)).route.addresses
    const traffic = load(`${address}/`)
    const seen: (readonly string[])[] = []
    for (const [from, to] of [
      ['b', 'a'],
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      if (seen.length > 0) await route(5, [from], [to])
      traffic.mark()
      await traffic.more(300)
      seen.push(traffic.seen())
    }
    await traffic.stop()
    console.log(`${traffic.count()} requests, ${traffic.failures().length} failed`)
    expect(traffic.failures()).toEqual([])
    expect(seen).toEqual([['one'], ['two'], ['one']])
  })

  it('removes the slot that the route has left while requests go on, and loses none', async () => {
    const [address = ''] = (await now(runtime, target)).route.addresses
    const traffic = load(`${address}/`)
    await traffic.more(100)
    await route(5, ['a'], ['b'])
    const left = await until(runtime, target, ({ route }) => route.draining === 0)
    await runtime.act(target, { type: 'remove-slot', revision: left.revision, slot: 'a' }, context(5))
    await traffic.more(100)
    const { revision } = await now(runtime, target)
    await runtime.act(target, ensure(revision, 'a', one), context(5))
    await until(runtime, target, isReady('a', 2))
    await route(5, ['b'], ['a'])
    await traffic.more(100)
    await traffic.stop()
    console.log(`${traffic.count()} requests, ${traffic.failures().length} failed`)
    expect(traffic.failures()).toEqual([])
  })

  it('makes the routed slot smaller and larger while requests go on, and loses none', async () => {
    const traffic = load(`${(await now(runtime, target)).route.addresses[0]}/`)
    for (const replicas of [1, 3, 2]) {
      const { revision } = await now(runtime, target)
      await runtime.act(target, ensure(revision, 'a', one, { replicas }), context(5))
      await until(runtime, target, isReady('a', replicas))
      await traffic.more(100)
    }
    await traffic.stop()
    console.log(`${traffic.count()} requests, ${traffic.failures().length} failed`)
    expect(traffic.failures()).toEqual([])
  })

  it('spreads requests over several routed slots', async () => {
    await route(5, ['a'], ['a', 'b'])
    const traffic = load(`${(await now(runtime, target)).route.addresses[0]}/`)
    await traffic.more(100)
    await traffic.stop()
    expect([...traffic.seen()].sort()).toEqual(['one', 'two'])
    await route(5, ['a', 'b'], ['a'])
  })

  it('refuses a write that was decided on an older look', async () => {
    const { revision } = await now(runtime, target)
    await runtime.act(target, { type: 'route', revision, from: ['a'], to: ['b'] }, context(5))
    await expect(
      runtime.act(target, { type: 'route', revision, from: ['b'], to: ['a'] }, context(5)),
    ).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
    expect((await now(runtime, target)).route.slots).toEqual(['b'])
  })

  it('refuses to remove what is routed', async () => {
    const { revision } = await now(runtime, target)
    await expect(runtime.act(target, { type: 'remove-slot', revision, slot: 'b' }, context(5))).rejects.toMatchObject({
      code: 'CONFLICT',
      effect: 'none',
    })
    expect(isReady('b', 2)(await now(runtime, target))).toBe(true)
  })

  it('refuses an older token, also after the edge was killed and came back', async () => {
    await runtime.claim(target, context(7))
    await expect(runtime.claim(target, context(6))).rejects.toMatchObject({ code: 'FENCED', effect: 'none' })
    await expect(route(5, ['b'], ['a'])).rejects.toMatchObject({ code: 'FENCED', effect: 'none' })
    const before = await now(runtime, target)
    const [edge] = await docker.listContainers({ filters: { label: ['kiwi.service=live-web', 'kiwi.role=edge'] } })
    await docker.getContainer(edge?.Id ?? '').kill()
    await docker.getContainer(edge?.Id ?? '').start()
    const after = await until(runtime, target, isReady('b', 2))
    expect(after).toMatchObject({ fence: 7, route: { slots: ['b'], addresses: before.route.addresses } })
    expect(await ask(after.route.addresses[0] ?? '')).toBe('two')
    await expect(route(5, ['b'], ['a'])).rejects.toMatchObject({ code: 'FENCED', effect: 'none' })
    await route(7, ['b'], ['a'])
  })

  it('refuses an act that was under way when someone else claimed the target', async () => {
    const { revision } = await now(runtime, target)
    // The secret is asked for between the look and the write: the place where this process loses its lease.
    const zombie = testContext({ token: 7 })
    const overtaken = {
      ...zombie,
      secret: async <T>(_: unknown, use: (value: string) => Promise<T>): Promise<T> => {
        await runtime.claim(target, context(8))
        return use('late')
      },
    }
    await expect(runtime.act(target, ensure(revision, 'late', one), overtaken)).rejects.toMatchObject({
      code: 'FENCED',
      effect: 'none',
    })
    expect((await now(runtime, target)).slots.map(({ id }) => id)).toEqual(['a', 'b'])
  })

  it('makes a slot whole whose making was interrupted', async () => {
    const { revision } = await now(runtime, target)
    await runtime.act(target, ensure(revision, 'part', one), context(8))
    const [, second] = await docker.listContainers({ filters: { label: ['kiwi.service=live-web', 'kiwi.slot=part'] } })
    await docker.getContainer(second?.Id ?? '').remove({ force: true })
    const part = await until(runtime, target, isReady('part', 1))
    await runtime.act(target, ensure(part.revision, 'part', one), context(8))
    const whole = await until(runtime, target, isReady('part', 2))
    await runtime.act(target, { type: 'remove-slot', revision: whole.revision, slot: 'part' }, context(8))
  })

  it('does not count on a slot whose making failed half-way, and touches nothing that is not ours', async () => {
    const { Image } = await docker.getContainer('kiwi-live-web-test-a-1').inspect()
    const foreign = await docker.createContainer({ name: 'kiwi-live-web-test-half-2', Image })
    try {
      const { revision } = await now(runtime, target)
      await expect(runtime.act(target, ensure(revision, 'half', one), context(8))).rejects.toMatchObject({
        code: 'RUNTIME_FAILED',
        effect: 'done',
      })
      const half = (await now(runtime, target)).slots.find(({ id }) => id === 'half')
      expect(half?.replicas).toBe(0)
    } finally {
      await foreign.remove()
    }
    const { revision } = await now(runtime, target)
    await runtime.act(target, ensure(revision, 'half', one), context(8))
    const whole = await until(runtime, target, isReady('half', 2))
    await runtime.act(target, { type: 'remove-slot', revision: whole.revision, slot: 'half' }, context(8))
  })

  it('keeps a slot at zero and brings it back', async () => {
    const scaled = async (replicas: number) => {
      const { revision } = await now(runtime, target)
      const other = { replicas, release: 'another' }
      await runtime.act(target, ensure(revision, 'b', two, other), context(8))
      return (await until(runtime, target, isReady('b', replicas))).slots[1]
    }
    expect(await scaled(0)).toMatchObject({ replicas: 0, instances: [], release: 'release-b' })
    expect(await scaled(3)).toMatchObject({ replicas: 3, release: 'release-b' })
    const labels = (await docker.listContainers({ filters: { label: ['kiwi.service=live-web', 'kiwi.slot=b'] } })).map(
      ({ Labels }) => Labels['kiwi.release'],
    )
    expect(labels).toEqual(['release-b', 'release-b', 'release-b'])
  })

  it('stops an instance first that is not ready, and fills its place again', async () => {
    const sick = docker.getContainer('kiwi-live-web-test-b-1')
    await sick.pause()
    const ill = await until(runtime, target, isReady('b', 2))
    await runtime.act(target, ensure(ill.revision, 'b', two, { replicas: 2 }), context(8))
    const left = await until(runtime, target, ({ slots }) => slots[1]?.instances.length === 2)
    expect(left.slots[1]).toMatchObject({ replicas: 2, instances: [{ ready: true }, { ready: true }] })
    expect((await sick.inspect()).State.Running).toBe(false)
    await runtime.act(target, ensure(left.revision, 'b', two, { replicas: 3 }), context(8))
    await until(runtime, target, isReady('b', 3))
  })

  it('keeps an instance within its limits', async () => {
    const { revision } = await now(runtime, target)
    const limits = { cpuMillis: 250, memoryBytes: 32 * 1024 * 1024 }
    const spec = { ...testSpec, resources: { requests: {}, limits } }
    await runtime.act(target, ensure(revision, 'small', one, { spec, replicas: 1 }), context(8))
    const { HostConfig } = await docker.getContainer('kiwi-live-web-test-small-1').inspect()
    expect(HostConfig).toMatchObject({ NanoCpus: 250_000_000, Memory: 33_554_432 })
    const small = await now(runtime, target)
    await runtime.act(target, { type: 'remove-slot', revision: small.revision, slot: 'small' }, context(8))
  })

  it('shows a program that ends, and what it said', async () => {
    const { revision } = await now(runtime, target)
    const spec = { ...testSpec, entrypoint: ['sh', '-c', 'echo no database; exit 3'] }
    await runtime.act(target, ensure(revision, 'bad', one, { spec, replicas: 1 }), context(8))
    const seen = await until(
      runtime,
      target,
      ({ slots }) => (slots.find(({ id }) => id === 'bad')?.instances[0]?.restarts ?? 0) > 0,
    )
    expect(seen.slots.find(({ id }) => id === 'bad')?.instances).toMatchObject([{ ready: false, exitCode: 3 }])
    const evidence = await runtime.evidence(target, 'bad', context(8))
    expect(evidence.instances).toMatchObject([{ exitCode: 3 }])
    expect(evidence.instances[0]?.lastOutput).toContain('no database')
  })

  it('shows a program that cannot be started', async () => {
    const { revision } = await now(runtime, target)
    const spec = { ...testSpec, entrypoint: ['/no/such/program'] }
    await runtime.act(target, ensure(revision, 'gone', one, { spec, replicas: 1 }), context(8))
    const seen = await until(runtime, target, ({ slots }) => slots.find(({ id }) => id === 'gone') !== undefined)
    const [instance] = seen.slots.find(({ id }) => id === 'gone')?.instances ?? []
    expect(instance).toMatchObject({ phase: 'exited', ready: false, reason: 'start-failed' })
    expect(instance?.message).toContain('/no/such/program')
  })

  it('says that the registry has no such image, and changes nothing', async () => {
    const { revision } = await now(runtime, target)
    const missing = { ...one, pull: one.pull.replace(/[0-9a-f]{8}$/, '00000000') }
    await expect(runtime.act(target, ensure(revision, 'x', missing), context(8))).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
      effect: 'none',
    })
    expect((await now(runtime, target)).revision).toBe(revision)
  })

  it('says that a port is taken, and goes on publishing what it did', async () => {
    const [address = ''] = (await now(runtime, target)).route.addresses
    const other: Target = {
      ...target,
      environment: 'other',
      publish: { ...target.publish, port: Number(new URL(address).port) },
    }
    await expect(runtime.claim(other, context(1))).rejects.toMatchObject({ code: 'PORT_TAKEN' })
    await runtime.claim({ ...other, publish: target.publish }, context(1))
    const free = await now(runtime, other)
    await expect(runtime.claim(other, context(2))).rejects.toMatchObject({ code: 'PORT_TAKEN' })
    expect((await now(runtime, other)).route.addresses).toEqual(free.route.addresses)
  })

  it('removes slots with all their instances', async () => {
    for (const slot of ['b', 'bad', 'gone']) {
      const { revision } = await now(runtime, target)
      await runtime.act(target, { type: 'remove-slot', revision, slot }, context(8))
    }
    expect((await now(runtime, target)).slots.map(({ id }) => id)).toEqual(['a'])
  })

  it('removes what its claim made, but no sooner than the last slot', async () => {
    const own = async () => {
      const filters = { label: ['kiwi.service=live-web', 'kiwi.environment=test'] }
      const [containers, networks, { Volumes }] = await Promise.all([
        docker.listContainers({ all: true, filters }),
        docker.listNetworks({ filters }),
        docker.listVolumes({ filters }),
      ])
      return containers.length + networks.length + Volumes.length
    }
    const remove = async () => {
      const { revision } = await now(runtime, target)
      await runtime.act(target, { type: 'remove-target', revision }, context(8))
    }
    await expect(remove()).rejects.toMatchObject({ code: 'RUNTIME_FAILED', effect: 'none' })
    await route(8, ['a'], [])
    const { revision } = await now(runtime, target)
    await runtime.act(target, { type: 'remove-slot', revision, slot: 'a' }, context(8))
    await remove()
    expect(await own()).toBe(0)
    expect(await now(runtime, target)).toMatchObject({ fence: 0, slots: [], tasks: [], route: { addresses: [] } })
    await runtime.claim(target, context(1))
    expect((await now(runtime, target)).fence).toBe(1)
  })
})

describe.skipIf(live === undefined)('the Docker runtime keeps the contract', { timeout: 120_000 }, () => {
  const docker = connect({ url: live?.url })
  const runtime = dockerRuntime({ connection: { url: live?.url }, edge: live?.edge ?? { image: '' } })
  const image = (version: string) => pushTestImage(docker, live?.registry ?? '', version)
  const kit = runtimeKit({
    runtime: () => runtime,
    images: async () => [await image('kit one'), await image('kit two')],
    answers: ['kit one', 'kit two'],
    spec: { health: { type: 'http', path: '/', intervalMs: 500, timeoutMs: 1_000 } },
    clean: ({ service }) => clean(docker, service),
  })
  afterAll(() => removeTestImages(docker))
  for (const one of kit) it(one.name, one.run)
})

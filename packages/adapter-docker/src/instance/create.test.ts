import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EnsureSlot, InstanceSpec } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { expect, it } from 'vitest'
import { connect } from '../connect.js'
import { createContainer, instanceBody, specHash, taskBody, withEnvironment } from './create.js'

const spec: InstanceSpec = {
  env: { GREETING: 'hello', PASSWORD: { secret: 'DB' } },
  port: 3000,
  health: { type: 'http', path: '/', intervalMs: 1000, timeoutMs: 1000 },
  volumes: [
    { source: '/srv/data', path: '/data', readOnly: true },
    { source: 'cache', path: '/cache', readOnly: false },
  ],
  resources: { requests: {}, limits: {} },
  stopGraceMs: 1500,
}
const action: EnsureSlot = {
  type: 'ensure-slot',
  revision: '',
  slot: 'a',
  release: 'r1',
  image: { digest: 'sha256:1', name: 'web:1', pull: 'r/web@sha256:1' },
  spec,
  replicas: 1,
}
const target = { service: 'web', environment: 'test', publish: { protocol: 'http', address: '', port: 0 } } as const
const place = { lane: { number: 1, generation: 4 }, index: 2, networkId: 'net', address: '10.0.0.17' }
const body = instanceBody(target, action, place, { token: 7, env: { GREETING: 'hello', PASSWORD: 'hunter2' } })

it('sends secrets in the body of the request and never in its address', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'kiwi-'))
  const seen: { url: string; body: string }[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    seen.push({ url: request.url ?? '', body: text })
    response.writeHead(201, { 'content-type': 'application/json' }).end('{"Id":"c1"}')
  })
  await new Promise<void>((resolve) => server.listen(join(directory, 'engine.sock'), resolve))
  const container = await createContainer(
    connect({ url: `unix://${directory}/engine.sock` }),
    'kiwi-web-test-a-2',
    body,
  )
  server.close()
  await rm(directory, { recursive: true })
  expect(container.id).toBe('c1')
  expect(seen[0]?.url).toBe('/containers/create?name=kiwi-web-test-a-2')
  expect(JSON.parse(seen[0]?.body ?? '').Env).toEqual(['GREETING=hello', 'PASSWORD=hunter2', 'PORT=3000'])
})

it('makes an instance at its place, with grace, volumes and labels', () => {
  expect(body).toMatchObject({
    Image: 'r/web@sha256:1',
    StopTimeout: 2,
    Labels: {
      'kiwi.service': 'web',
      'kiwi.environment': 'test',
      'kiwi.slot': 'a',
      'kiwi.release': 'r1',
      'kiwi.token': '7',
      'kiwi.generation': '4',
      'kiwi.index': '2',
    },
    HostConfig: {
      RestartPolicy: { Name: 'unless-stopped' },
      Mounts: [
        { Type: 'bind', Source: '/srv/data', Target: '/data', ReadOnly: true },
        { Type: 'volume', Source: 'cache', Target: '/cache', ReadOnly: false },
      ],
    },
    NetworkingConfig: { EndpointsConfig: { net: { IPAMConfig: { IPv4Address: '10.0.0.17' } } } },
  })
  expect(body.HostConfig?.PortBindings).toBeUndefined()
})

it('keeps an instance within its limits', () => {
  const resources = { requests: { cpuMillis: 100 }, limits: { cpuMillis: 1500, memoryBytes: 64 * 1024 * 1024 } }
  const limited = instanceBody(target, { ...action, spec: { ...spec, resources } }, place, { token: 7, env: {} })
  expect(limited.HostConfig).toMatchObject({ NanoCpus: 1_500_000_000, Memory: 67_108_864 })
  expect(body.HostConfig).not.toHaveProperty('Memory')
})

it('runs a command once, and as no instance of its slot', () => {
  const { replicas: _, ...rest } = action
  const order = { ...rest, type: 'run-once', task: 'migrate', command: ['migrate', '--all'] } as const
  const once = taskBody(target, order, place, { token: 7, env: { GREETING: 'hello' } })
  expect(once).toMatchObject({
    Cmd: ['migrate', '--all'],
    Env: ['GREETING=hello', 'PORT=3000'],
    Labels: { 'kiwi.role': 'task', 'kiwi.task': 'migrate', 'kiwi.slot': 'a', 'kiwi.token': '7' },
    HostConfig: { RestartPolicy: { Name: 'no' } },
  })
  expect(once.Labels).not.toHaveProperty('kiwi.lane')
})

it('knows the same specification whatever order it is written in', () => {
  const turned = { ...action, replicas: 5, spec: { ...spec, env: { PASSWORD: { secret: 'DB' }, GREETING: 'hello' } } }
  expect(specHash(turned)).toBe(specHash(action))
  expect(specHash({ ...action, release: 'r2', spec: { ...spec, command: undefined } })).toBe(specHash(action))
  expect(specHash({ ...action, spec: { ...spec, port: 3001 } })).not.toBe(specHash(action))
  expect(specHash({ ...action, image: { ...action.image, digest: 'sha256:2' } })).not.toBe(specHash(action))
})

it('resolves secrets for as long as they are used, and fails before anything when one is missing', async () => {
  const context = testContext({ secrets: { DB: 'hunter2' } })
  expect(await withEnvironment(spec.env, context, async (env) => env)).toEqual({
    GREETING: 'hello',
    PASSWORD: 'hunter2',
  })
  let used = false
  const missing = withEnvironment(spec.env, testContext(), async () => {
    used = true
  })
  await expect(missing).rejects.toMatchObject({ code: 'SECRET_MISSING' })
  expect(used).toBe(false)
})

import type { ContainerInspectInfo } from 'dockerode'
import { expect, it } from 'vitest'
import type { EdgeState, Lane } from './edge/protocol.js'
import { revisionOf, snapshotOf, type World } from './facts.js'

const lane: Lane = {
  number: 1,
  slot: 'a',
  generation: 3,
  kind: 'quick',
  port: 3000,
  path: '/',
  seats: [1, 2],
  note: { release: 'r1', digest: 'sha256:1', spec: 's' },
}
const server = (index: number, up: boolean, check = 'L7OK', message = '') => ({ lane: 1, index, up, check, message })
const state: EdgeState = {
  token: 7,
  seq: 4,
  generation: 0,
  publish: undefined,
  route: ['a'],
  lanes: [lane],
  servers: [server(1, true), server(2, false, 'L7STS', 'Service Unavailable')],
  draining: 2,
}

interface Look {
  readonly slot?: string
  readonly generation?: number
  readonly restarts?: number
  readonly state?: Partial<ContainerInspectInfo['State']>
}

const instance = (index: number, { slot = 'a', generation = 3, restarts = 0, state: seen = {} }: Look = {}) =>
  container(`${slot}-${index}`, {
    RestartCount: restarts,
    State: { Status: 'running', Running: true, Paused: false, OOMKilled: false, Error: '', ExitCode: 0, ...seen },
    Config: {
      Labels: {
        'kiwi.slot': slot,
        'kiwi.lane': '1',
        'kiwi.generation': String(generation),
        'kiwi.index': String(index),
        'kiwi.release': `release of ${slot}`,
        'kiwi.digest': 'sha256:9',
      },
    },
  })

const edge = (bindings: { HostIp: string; HostPort: string }[], publish: unknown = null) =>
  container('edge', {
    Config: { Labels: { 'kiwi.publish': JSON.stringify(publish) } },
    NetworkSettings: { Ports: { '8080/tcp': bindings } },
  })

// Only what is looked at; the whole has a hundred more.
const container = (Id: string, parts: object) => ({ Id, ...parts }) as unknown as ContainerInspectInfo

const world = (instances: ContainerInspectInfo[], more: Partial<EdgeState> = {}): World => ({
  instances,
  tasks: [],
  edge: { container: edge([{ HostIp: '127.0.0.1', HostPort: '8080' }]), state: { ...state, ...more } },
})

it('shows slots, instances and the route', () => {
  expect(snapshotOf(world([instance(2), instance(1)]))).toEqual({
    revision: expect.stringMatching(/^[0-9a-f]{32}$/),
    fence: 7,
    slots: [
      {
        id: 'a',
        release: 'r1',
        digest: 'sha256:1',
        replicas: 2,
        instances: [
          { id: 'a-1', phase: 'running', restarts: 0, ready: true },
          {
            id: 'a-2',
            phase: 'running',
            restarts: 0,
            ready: false,
            reason: 'L7STS',
            message: 'the health check was answered with an error status: Service Unavailable',
          },
        ],
      },
    ],
    tasks: [],
    route: { slots: ['a'], settled: true, draining: 2, addresses: ['http://127.0.0.1:8080'] },
  })
})

it('shows a target that nobody claimed as empty', () => {
  expect(snapshotOf({ instances: [], tasks: [] })).toMatchObject({
    fence: 0,
    slots: [],
    route: { slots: [], addresses: [] },
  })
})

const first = (look: Look) => snapshotOf(world([instance(1, look)])).slots[0]?.instances[0]

it('does not call an instance ready that is paused, though its last check passed', () => {
  expect(first({ state: { Status: 'paused', Paused: true } })).toMatchObject({ phase: 'running', ready: false })
})

it('tells why an instance ended', () => {
  const ended = { Status: 'restarting', ExitCode: 3 }
  expect(first({ restarts: 2, state: ended })).toMatchObject({ phase: 'exited', restarts: 2, exitCode: 3 })
  expect(first({ state: { Status: 'exited', ExitCode: 137, OOMKilled: true } })).toMatchObject({ reason: 'OOMKilled' })
})

it('tells why an instance never started', () => {
  const never = { Status: 'created', Running: false, Error: 'no such file', ExitCode: 127 }
  expect(first({ state: never })).toMatchObject({ phase: 'exited', reason: 'start-failed', message: 'no such file' })
  expect(first({ state: { ...never, Error: '' } })).toMatchObject({ phase: 'creating', ready: false })
})

it('shows an instance beyond the ordered number while it runs, and not when it is kept stopped', () => {
  const third = (seen: object) => snapshotOf(world([instance(3, { state: seen })])).slots[0]?.instances
  expect(third({})).toMatchObject([{ id: 'a-3', phase: 'stopping', ready: false }])
  expect(third({ Status: 'exited', Running: false })).toEqual([])
})

it('does not count an instance of an earlier use of the slot', () => {
  expect(snapshotOf(world([instance(1, { generation: 2 })])).slots[0]?.instances).toEqual([])
})

it('keeps showing a slot whose removal did not come to its end', () => {
  const seen = snapshotOf(world([instance(1, { slot: 'old' })]))
  expect(seen.slots.find(({ id }) => id === 'old')).toMatchObject({
    release: 'release of old',
    digest: 'sha256:9',
    replicas: 0,
    instances: [{ phase: 'stopping', ready: false }],
  })
})

it('moves the revision with what was ordered, not with how it fares', () => {
  const before = revisionOf(world([instance(1)]))
  expect(
    revisionOf(world([instance(1, { restarts: 3, state: { Status: 'exited' } })], { servers: [], draining: 9 })),
  ).toBe(before)
  expect(revisionOf(world([instance(1)], { seq: 5 }))).not.toBe(before)
  expect(revisionOf(world([instance(1)], { token: 8 }))).not.toBe(before)
  expect(revisionOf(world([instance(1), instance(2)]))).not.toBe(before)
})

it('names the address where the service answers', () => {
  const at = (HostIp: string, protocol?: string) =>
    snapshotOf({
      instances: [],
      tasks: [],
      edge: { container: edge([{ HostIp, HostPort: '80' }], protocol && { protocol }), state },
    }).route.addresses
  expect(at('0.0.0.0')).toEqual(['http://127.0.0.1:80'])
  expect(at('10.0.0.1', 'tcp')).toEqual(['tcp://10.0.0.1:80'])
  expect(at('::1')).toEqual(['http://[::1]:80'])
})

const task = (state: Partial<ContainerInspectInfo['State']>) =>
  container('task', {
    Config: { Labels: { 'kiwi.task': 'migrate', 'kiwi.slot': 'a' } },
    State: { Running: false, OOMKilled: false, Error: '', ExitCode: 0, ...state },
  })

it.each([
  [{ Status: 'created' }, { phase: 'creating' }],
  [{ Status: 'running', Running: true }, { phase: 'running' }],
  [{ Status: 'exited' }, { phase: 'succeeded', exitCode: 0 }],
  [
    { Status: 'exited', ExitCode: 4 },
    { phase: 'failed', exitCode: 4, reason: 'exited' },
  ],
  [
    { Status: 'exited', ExitCode: 137, OOMKilled: true },
    { phase: 'failed', exitCode: 137, reason: 'OOMKilled' },
  ],
  [
    { Status: 'created', ExitCode: 127, Error: 'no such file' },
    { phase: 'failed', reason: 'start-failed', message: 'no such file' },
  ],
])('shows a command that runs once: %o', (seen, shown) => {
  const { slots, tasks } = snapshotOf({ ...world([]), tasks: [task(seen)] })
  expect(tasks).toMatchObject([{ id: 'migrate', slot: 'a', ...shown }])
  expect(slots.map(({ id }) => id)).toEqual(['a'])
})

it('moves the revision with a command that runs once', () => {
  const before = revisionOf(world([]))
  expect(revisionOf({ ...world([]), tasks: [task({ Status: 'created' })] })).not.toBe(before)
})

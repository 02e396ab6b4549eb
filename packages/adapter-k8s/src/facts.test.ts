import type { V1Deployment, V1EndpointSlice, V1Job, V1JobStatus, V1Pod, V1Service } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { type Seen, snapshotOf } from './facts.js'

const remember = <T>(_: unknown, instance: T) => instance
const options = { host: '127.0.0.1', remember }
const both = [deployment('one'), deployment('two')]
const pods = [pod('one-a', 'one'), pod('two-a', 'two')]

describe('a snapshot', () => {
  test('is settled when every ready endpoint is an instance of the routed slot, and not before', () => {
    const seen = { service: service('two'), deployments: both, jobs: [], pods }
    expect(route({ ...seen, endpointSlices: [slice('two-a')] })).toMatchObject({
      slots: ['two'],
      settled: true,
    })
    expect(route({ ...seen, endpointSlices: [slice('one-a')] })).toMatchObject({ settled: false })
    expect(route({ ...seen, endpointSlices: [slice('two-a'), slice('one-a')] })).toMatchObject({
      settled: false,
    })
    expect(route({ ...seen, endpointSlices: [] })).toMatchObject({ settled: false })
  })

  test('is not settled while endpoints of an earlier making of the same slot are ready', () => {
    const old = pod('two-old', 'two', { incarnation: 'before' })
    const seen = { service: service('two'), deployments: both, jobs: [], pods: [...pods, old] }
    expect(route({ ...seen, endpointSlices: [slice('two-old')] })).toMatchObject({ settled: false })
  })

  test('is settled while endpoints that the route has left only finish their requests', () => {
    const leaving = slice('one-a', { ready: false, serving: true, terminating: true })
    const seen = {
      service: service('two'),
      deployments: both,
      pods,
      jobs: [],
      endpointSlices: [slice('two-a'), leaving],
    }
    expect(route(seen)).toMatchObject({ settled: true })
  })

  test('has no route and is settled before a slot is routed', () => {
    const seen = { service: service(''), deployments: both, pods, jobs: [], endpointSlices: [] }
    expect(route(seen)).toEqual({ slots: [], settled: true, addresses: ['http://127.0.0.1:30080'] })
    expect(route({ ...seen, service: undefined })).toEqual({ slots: [], settled: false, addresses: [] })
  })

  test('does not count instances of an earlier making of a slot as its own', () => {
    const old = pod('one-old', 'one', { incarnation: 'before' })
    const seen = {
      service: service(''),
      deployments: [deployment('one', { replicas: 1 })],
      pods: [old],
      jobs: [],
      endpointSlices: [],
    }
    expect(snapshotOf(seen, options).slots[0]?.instances).toMatchObject([
      { id: 'one-old', phase: 'stopping', ready: false },
      { id: 'web-production-one/missing-1', phase: 'creating', ready: false },
    ])
  })

  test('shows instances that the cluster refuses to make, with its reason', () => {
    const message = 'pods "x" is forbidden: exceeded quota: none'
    const failing = deployment('one', {
      condition: { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message },
    })
    const seen = { service: service(''), deployments: [failing], pods: [], jobs: [], endpointSlices: [] }
    const instances = snapshotOf(seen, options).slots[0]?.instances
    expect(instances).toHaveLength(2)
    expect(instances?.[0]).toMatchObject({ phase: 'creating', reason: 'FailedCreate', message })
  })

  test('has a revision that moves with what is ordered and with nothing else', () => {
    const seen: Seen = { service: service('one'), deployments: both, pods, jobs: [], endpointSlices: [] }
    const revision = (changed: Partial<Seen>) => snapshotOf({ ...seen, ...changed }, options).revision
    const now = revision({})
    expect(revision({ pods: [], endpointSlices: [slice('one-a')] })).toBe(now)
    expect(revision({ deployments: [...both].reverse() })).toBe(now)
    const status = { observedGeneration: 7, readyReplicas: 2 }
    expect(
      revision({
        deployments: both.map((one) => ({ ...one, status, metadata: { ...one.metadata, resourceVersion: '99' } })),
      }),
    ).toBe(now)
    const moved = [
      revision({ service: service('two') }),
      revision({ service: service('one', '2') }),
      revision({ deployments: [deployment('one')] }),
      revision({ jobs: [job({})] }),
      revision({ deployments: [deployment('one'), deployment('two', { replicas: 3 })] }),
      revision({ deployments: [deployment('one'), deployment('two', { generation: 2 })] }),
    ]
    expect(new Set([now, ...moved]).size).toBe(7)
  })
})

describe('a command that runs once', () => {
  const shown = (status: V1JobStatus, pod?: V1Pod['status']) => {
    const metadata = { name: 'p', ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'j' }] }
    const seen = { service: service(''), deployments: both, jobs: [job(status)], endpointSlices: [] }
    const { slots, tasks } = snapshotOf({ ...seen, pods: pod ? [{ metadata, status: pod }] : [] }, options)
    expect(slots.flatMap(({ instances }) => instances).filter(({ id }) => id === 'p')).toEqual([])
    return tasks
  }
  const ended = (exitCode: number, reason: string) => ({
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    containerStatuses: [
      {
        name: 'app',
        image: '',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { terminated: { exitCode, reason } },
      },
    ],
  })

  test('is shown by what its pod does, also before the Job says so', () => {
    const base = { id: 'migrate', slot: 'one' }
    expect(shown({})).toEqual([{ ...base, phase: 'creating' }])
    const running = { name: 'app', image: '', imageID: '', ready: true, restartCount: 0, state: { running: {} } }
    expect(shown({}, { phase: 'Running', containerStatuses: [running] })).toEqual([{ ...base, phase: 'running' }])
    expect(shown({}, ended(0, 'Completed'))).toEqual([{ ...base, phase: 'succeeded', exitCode: 0 }])
    expect(shown({}, ended(4, 'Error'))).toEqual([{ ...base, phase: 'failed', exitCode: 4, reason: 'Error' }])
  })

  test('is shown by its Job where there is no pod any more', () => {
    const failed = { type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', message: 'no more' }
    expect(shown({ conditions: [failed] })).toMatchObject([{ phase: 'failed', reason: 'BackoffLimitExceeded' }])
    expect(shown({ conditions: [{ type: 'Complete', status: 'True' }] })).toMatchObject([{ phase: 'succeeded' }])
  })
})

function job(status: V1JobStatus): V1Job {
  return { metadata: { uid: 'j', annotations: { 'kiwi.dev/task': 'migrate', 'kiwi.dev/slot': 'one' } }, status }
}

function route(seen: Seen) {
  return snapshotOf(seen, options).route
}

function service(slot: string, token = '1'): V1Service {
  const selector = { 'kiwi.dev/service': 'web', 'kiwi.dev/environment': 'production', 'kiwi.dev/slot': slot }
  return {
    metadata: { name: 'web-production', uid: 's', annotations: { 'kiwi.dev/token': token } },
    spec: { selector, type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 30080 }] },
  }
}

interface Condition {
  type: string
  status: string
  reason: string
  message: string
}

function deployment(
  slot: string,
  more: { replicas?: number; generation?: number; condition?: Condition } = {},
): V1Deployment {
  const { replicas = 2, generation = 1, condition } = more
  const annotations = { 'kiwi.dev/slot': slot, 'kiwi.dev/release': `r-${slot}`, 'kiwi.dev/spec': 'abc' }
  return {
    metadata: { name: `web-production-${slot}`, uid: slot, generation, labels: { 'kiwi.dev/slot': slot }, annotations },
    spec: { replicas, selector: {}, template: { metadata: { labels: { 'kiwi.dev/incarnation': 'now' } } } },
    ...(condition && { status: { conditions: [condition] } }),
  }
}

function pod(name: string, slot: string, { incarnation = 'now' } = {}): V1Pod {
  return {
    metadata: { name, uid: name, labels: { 'kiwi.dev/slot': slot, 'kiwi.dev/incarnation': incarnation } },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

function slice(podName: string, conditions = { ready: true, serving: true, terminating: false }): V1EndpointSlice {
  return {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'], conditions, targetRef: { kind: 'Pod', name: podName } }],
  }
}

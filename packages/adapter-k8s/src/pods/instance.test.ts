import type { V1ContainerStatus, V1Pod, V1PodStatus } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { firstMessages, instanceOf } from './instance.js'

const refusal = 'failed to pull and unpack image "r/web@sha256:1": not found'

describe('an instance', () => {
  test('is running and ready when its pod says so, and no more once it is deleted', () => {
    const status: V1PodStatus = {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [container({ state: { running: {} }, ready: true })],
    }
    expect(instanceOf(pod(status))).toEqual({ id: 'web-1', phase: 'running', ready: true, restarts: 0 })
    const deleted = pod(status)
    deleted.metadata = { ...deleted.metadata, deletionTimestamp: new Date(0) }
    expect(instanceOf(deleted)).toMatchObject({ phase: 'stopping', ready: false })
  })

  test('that nothing can take says what the scheduler said', () => {
    const message = '0/1 nodes are available: 1 Insufficient cpu.'
    const status = {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
    }
    expect(instanceOf(pod(status))).toMatchObject({ phase: 'creating', reason: 'Unschedulable', message })
  })

  test('on its way gives no reason', () => {
    const status = {
      phase: 'Pending',
      containerStatuses: [container({ state: { waiting: { reason: 'ContainerCreating' } } })],
    }
    expect(instanceOf(pod(status))).toEqual({ id: 'web-1', phase: 'creating', ready: false, restarts: 0 })
  })

  test('that ended by itself has its exit code, and the cause rather than the back-off', () => {
    const backOff = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s restarting failed container' } }
    const killed = container({
      state: backOff,
      lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
      restartCount: 3,
    })
    expect(instanceOf(pod({ phase: 'Running', containerStatuses: [killed] }))).toMatchObject({
      phase: 'exited',
      restarts: 3,
      exitCode: 137,
      reason: 'OOMKilled',
    })
    const failed = container({
      state: backOff,
      lastState: { terminated: { exitCode: 1, reason: 'Error' } },
      restartCount: 1,
    })
    expect(instanceOf(pod({ phase: 'Running', containerStatuses: [failed] }))).toMatchObject({
      exitCode: 1,
      reason: 'CrashLoopBackOff',
    })
  })

  test('that is healthy again after a restart gives no reason', () => {
    const again = container({
      state: { running: {} },
      ready: true,
      lastState: { terminated: { exitCode: 1, reason: 'Error' } },
      restartCount: 1,
    })
    const found = instanceOf(
      pod({ phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], containerStatuses: [again] }),
    )
    expect(found).toEqual({ id: 'web-1', phase: 'running', ready: true, restarts: 1, exitCode: 1 })
  })

  test('that was evicted says why', () => {
    const status = { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' }
    expect(instanceOf(pod(status))).toMatchObject({ phase: 'exited', reason: 'Evicted', message: status.message })
  })

  test('keeps the first precise message when the cluster falls back to a vaguer one', () => {
    const remember = firstMessages()
    const say = (reason: string, message: string) => {
      const seen = pod({
        phase: 'Pending',
        containerStatuses: [container({ state: { waiting: { reason, message } } })],
      })
      return remember(seen, instanceOf(seen)).message
    }
    expect(say('ErrImagePull', refusal)).toBe(refusal)
    expect(say('ImagePullBackOff', 'Back-off pulling image "r/web@sha256:1"')).toBe(refusal)
    expect(say('ErrImagePull', 'another refusal')).toBe('another refusal')
  })
})

function pod(status: V1PodStatus): V1Pod {
  return { metadata: { name: 'web-1', uid: 'uid-1' }, status }
}

function container(status: Partial<V1ContainerStatus>): V1ContainerStatus {
  return { name: 'app', image: '', imageID: '', ready: false, restartCount: 0, ...status }
}

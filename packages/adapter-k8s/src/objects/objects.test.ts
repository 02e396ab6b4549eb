import type { EnsureSlot, InstanceSpec } from '@kiwi/core'
import { describe, expect, test } from 'vitest'
import { newDeployment, specHash } from './deployment.js'
import { newJob } from './job.js'
import { labelValue, objectName, placeOf } from './names.js'
import { newService, publishing } from './service.js'

const publish = { protocol: 'http', address: '127.0.0.1', port: 0 } as const
const place = placeOf({ namespace: 'default' }, { service: 'web', environment: 'production', publish })
const spec: InstanceSpec = {
  env: { GREETING: 'a $(PORT) $$', KEY: { secret: 'API_KEY' } },
  port: 8080,
  health: { type: 'http', path: '/up', intervalMs: 200, timeoutMs: 1500 },
  volumes: [
    { source: '/srv/data', path: '/data', readOnly: true },
    { source: 'claim', path: '/state', readOnly: false },
  ],
  resources: { requests: { cpuMillis: 100 }, limits: { cpuMillis: 1500, memoryBytes: 64 * 1024 * 1024 } },
  stopGraceMs: 1500,
}
const digest = `sha256:${'1'.repeat(64)}`
const action: EnsureSlot = {
  type: 'ensure-slot',
  revision: 'r',
  slot: 'a1',
  release: 'web/production/3',
  image: { digest, name: 'web:1', pull: `r/web@${digest}` },
  spec,
  replicas: 2,
}
const order = { place, action, token: 7, secretName: 'values' }

describe('names', () => {
  test('stay as they are where they fit, and are shortened without becoming equal where not', () => {
    expect(objectName(['web', 'production', 'a1'])).toBe('web-production-a1')
    const long = ['a', 'b'].map((end) => objectName(['x'.repeat(70), end]))
    for (const name of [...long, objectName(['1st', 'production']), objectName(['Web_App', 'x'])]) {
      expect(name).toMatch(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])$/)
    }
    expect(long[0]).not.toBe(long[1])
    expect(labelValue('web/production/12')).toBe('web.production.12')
    expect(labelValue('y'.repeat(64))).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,61}[A-Za-z0-9]$/)
  })
})

describe('a slot’s Deployment', () => {
  const deployment = newDeployment(order)
  const container = deployment.spec?.template.spec?.containers[0]

  test('runs the image by digest, with variables as they are and secrets by reference', () => {
    expect(container?.image).toBe(`r/web@${digest}`)
    expect(container?.env).toEqual([
      { name: 'PORT', value: '8080' },
      { name: 'GREETING', value: 'a $$(PORT) $$$$' },
      { name: 'KEY', valueFrom: { secretKeyRef: { name: 'values', key: 'KEY' } } },
    ])
  })

  test('is checked in whole seconds, never less often than once', () => {
    const probe = { httpGet: { path: '/up', port: 'main' }, periodSeconds: 1, timeoutSeconds: 2 }
    expect(container?.readinessProbe).toEqual(probe)
  })

  test('still serves while the cluster learns that it is leaving, and has its whole grace after that', () => {
    expect(container?.lifecycle).toEqual({ preStop: { sleep: { seconds: 5 } } })
    expect(deployment.spec?.template.spec?.terminationGracePeriodSeconds).toBe(5 + 2)
  })

  test('asks for what it counts on, and is kept within its limits', () => {
    expect(container?.resources).toEqual({ requests: { cpu: '100m' }, limits: { cpu: '1500m', memory: '67108864' } })
  })

  test('mounts host paths and claims', () => {
    expect(deployment.spec?.template.spec?.volumes).toEqual([
      { name: 'volume-0', hostPath: { path: '/srv/data' } },
      { name: 'volume-1', persistentVolumeClaim: { claimName: 'claim' } },
    ])
  })

  test('selects its own slot only, and never by what may change', () => {
    expect(deployment.spec?.selector.matchLabels).toEqual({ ...place.labels, 'kiwi.dev/slot': 'a1' })
  })

  test('has a hash of what it is: the same for the same order, another for another', () => {
    const reordered = { ...spec, env: { KEY: { secret: 'API_KEY' }, GREETING: 'a $(PORT) $$' } }
    const moved = { ...action, image: { ...action.image, pull: `other/web@${digest}` } }
    expect(specHash({ ...order, action: { ...action, spec: reordered } })).toBe(specHash(order))
    expect(specHash({ ...order, action: moved })).toBe(specHash(order))
    expect(specHash({ ...order, action: { ...action, release: 'x', replicas: 0 } })).toBe(specHash(order))
    const others = [{ secretName: 'rotated' }, { action: { ...action, spec: { ...spec, port: 1 } } }]
    expect(new Set([order, ...others.map((other) => ({ ...order, ...other }))].map(specHash)).size).toBe(3)
  })
})

describe('the Job of a command', () => {
  const { replicas: _, ...rest } = action
  const once = { ...rest, type: 'run-once', task: 'migrate', command: ['migrate', '$(PORT)'] } as const
  const owner = { apiVersion: 'v1', kind: 'Service', name: 'web-production', uid: 's' }
  const job = newJob({ place, action: once, token: 7, secretName: 'values', owner })
  const pod = job.spec?.template

  test('runs it once, with the variables of an instance', () => {
    expect(job).toMatchObject({
      kind: 'Job',
      metadata: {
        name: 'web-production-migrate',
        annotations: { 'kiwi.dev/task': 'migrate', 'kiwi.dev/slot': 'a1', 'kiwi.dev/token': '7' },
        ownerReferences: [owner],
      },
      spec: { backoffLimit: 0, template: { spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 2 } } },
    })
    const [container] = pod?.spec?.containers ?? []
    expect(container).toMatchObject({ image: `r/web@${digest}`, args: ['migrate', '$$(PORT)'] })
    expect(container?.env).toEqual(newDeployment(order).spec?.template.spec?.containers[0]?.env)
    expect(container).not.toHaveProperty('readinessProbe')
  })

  test('is selected by no slot', () => {
    const selector = newDeployment(order).spec?.selector.matchLabels ?? {}
    expect(Object.entries(selector).every(([name, value]) => pod?.metadata?.labels?.[name] === value)).toBe(false)
    expect(pod?.metadata?.labels).not.toHaveProperty('kiwi.dev/slot')
  })
})

describe('a target’s Service', () => {
  const service = newService(place, publish, 7)
  const published = {
    ...service,
    spec: { ...service.spec, ports: [{ name: 'http', port: 80, targetPort: 'main', nodePort: 31000 }] },
  }

  test('selects nothing before a slot is routed', () => {
    expect(service.spec?.selector).toEqual({ ...place.labels, 'kiwi.dev/slot': '' })
  })

  test('keeps the port that the cluster chose, and takes one that is asked for', () => {
    expect(publishing(published, publish)).toEqual([])
    expect(publishing(published, { ...publish, port: 31000 })).toEqual([])
    expect(publishing(published, { ...publish, port: 32000 })).toMatchObject([
      { path: '/spec/type', value: 'NodePort' },
      { path: '/spec/ports', value: [{ nodePort: 32000 }] },
    ])
  })
})

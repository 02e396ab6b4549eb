import { expect, it } from 'vitest'
import { renderSpec, replicasOf } from './render.js'

it('amounts become numbers, in whatever form they are written', () => {
  const resources = { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '0.5', memory: '1G' } }
  expect(renderSpec({ runtime: 'x', resources }).resources).toEqual({
    requests: { cpuMillis: 100, memoryBytes: 134_217_728 },
    limits: { cpuMillis: 500, memoryBytes: 1_000_000_000 },
  })
})

it('amounts that are not given are left out', () => {
  expect(renderSpec({ runtime: 'x' }).resources).toEqual({ requests: {}, limits: {} })
  expect(renderSpec({ runtime: 'x', resources: { limits: { memory: '1Gi' } } }).resources).toEqual({
    requests: {},
    limits: { memoryBytes: 1_073_741_824 },
  })
})

it('one instance runs in development and two elsewhere, unless the definition says how many', () => {
  expect(replicasOf('development', { runtime: 'x' })).toBe(1)
  expect(replicasOf('staging', { runtime: 'x' })).toBe(2)
  expect(replicasOf('qa', { runtime: 'x' })).toBe(2)
  expect(replicasOf('development', { runtime: 'x', replicas: 5 })).toBe(5)
})

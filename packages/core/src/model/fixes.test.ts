import { describe, expect, it } from 'vitest'
import type { Json } from '../contracts/v1/json.js'
import { applyFixes } from './fixes.js'
import type { ServiceDefinition } from './service.js'

const definition: ServiceDefinition = {
  name: 'web',
  source: { git: '/srv/web.git' },
  image: { registry: 'main', repository: 'web' },
  triggers: [{ on: 'tag', tags: ['v*'], environment: 'pre-production' }],
  environments: { 'pre-production': { runtime: 'local', port: 3000 } },
}
const refusal = expect.objectContaining({ code: 'INPUT_INVALID' })

describe('fixes', () => {
  it('set values, and leave the definition they were given alone', () => {
    const fixed = applyFixes(definition, [
      { path: 'environments.pre-production.port', value: 8080 },
      { path: 'environments.pre-production.health.path', value: '/healthz' },
      { path: 'triggers.0.tags.1', value: 'w*' },
      { path: 'build', value: { target: 'web' } },
    ])
    expect(fixed.environments['pre-production']).toEqual({ runtime: 'local', port: 8080, health: { path: '/healthz' } })
    expect(fixed.triggers).toEqual([{ on: 'tag', tags: ['v*', 'w*'], environment: 'pre-production' }])
    expect(fixed.build).toEqual({ target: 'web' })
    expect(definition.environments['pre-production']).toEqual({ runtime: 'local', port: 3000 })
  })

  it('without any change nothing', () => {
    expect(applyFixes(definition, [])).toBe(definition)
  })

  it.each<[string, Json]>([
    ['', 1],
    ['.', 1],
    ['name', 'other'],
    ['name.x', 1],
    ['nothing', 1],
    ['environments.production.port', 8080],
    ['environments..port', 8080],
    ['environments.pre-production.port.x', 1],
    ['environments.pre-production.port', '8080'],
    ['environments.pre-production.runtime', null],
    ['__proto__.polluted', true],
    ['environments.__proto__.polluted', true],
    ['constructor.prototype.polluted', true],
    ['environments.pre-production.env.constructor.prototype.polluted', true],
    ['triggers.-1.tags', ['x']],
    ['triggers.01.tags', ['x']],
    ['triggers.2', { on: 'tag', tags: ['x'] }],
    ['triggers.length', 5],
    ['triggers.0.environment', 'nowhere'],
    ['a.'.repeat(2_000), 1],
  ])('of %j to %j are refused', (path, value) => {
    expect(() => applyFixes(definition, [{ path, value }])).toThrow(refusal)
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })
})

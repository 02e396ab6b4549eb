import { describe, expect, it } from 'vitest'
import type { EnvironmentDefinition, ServiceDefinition } from '../model/service.js'
import { recommendations } from './warnings.js'

const good: EnvironmentDefinition = {
  runtime: 'local',
  replicas: 2,
  resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '500m', memory: '512Mi' } },
  health: { path: '/healthz' },
}

function warn(environment: Partial<EnvironmentDefinition>, more: Partial<ServiceDefinition> = {}, name = 'production') {
  const definition: ServiceDefinition = {
    name: 'web',
    source: { git: '/srv/web.git' },
    image: { registry: 'main', repository: 'web' },
    environments: { [name]: { ...good, ...environment } },
    ...more,
  }
  return recommendations(definition, name).map(({ code, path }) => [code, path])
}

describe('recommendations', () => {
  it('have nothing to say about a definition that follows the guide', () => {
    expect(warn({})).toEqual([])
  })

  it.each([
    ['production', 1, true],
    ['production', 2, false],
    ['staging', 1, true],
    ['development', 1, false],
    ['qa', 1, false],
    ['constructor', 1, false],
  ])('%s with %i instance(s): warned %s', (name, replicas, warned) => {
    const expected = warned ? [['below-recommendation', `environments.${name}.replicas`]] : []
    expect(warn({ replicas }, {}, name)).toEqual(expected)
  })

  it('name what is not said about resources, and too little memory', () => {
    expect(warn({ resources: undefined })).toEqual([
      ['unsaid', 'environments.production.resources.requests'],
      ['unsaid', 'environments.production.resources.limits'],
    ])
    const little = { ...good.resources, limits: { cpu: '1', memory: '127Mi' } }
    expect(warn({ resources: little })).toEqual([
      ['below-recommendation', 'environments.production.resources.limits.memory'],
    ])
  })

  it('ask for a health path where HTTP is asked', () => {
    expect(warn({ health: undefined })).toEqual([['no-health-check', 'environments.production.health.path']])
    expect(warn({ health: undefined, publish: { protocol: 'tcp' } })).toEqual([])
  })

  it('tell of downtime and of schema changes', () => {
    expect(warn({ strategy: 'recreate' })).toEqual([['downtime', 'environments.production.strategy']])
    const at = 'environments.production.beforeSwitch.schemaChange'
    expect(warn({ beforeSwitch: { command: ['migrate'], schemaChange: true } })).toEqual([['schema-change', at]])
    expect(warn({ beforeSwitch: { command: ['migrate'] } })).toEqual([['unsaid', at]])
    expect(warn({ beforeSwitch: { command: ['warm-up'], schemaChange: false } })).toEqual([])
  })

  it('tell of secrets that stand in the definition, without repeating them', () => {
    const env = { DB_PASSWORD: 'hunter2', API_KEY: 'x', GREETING: 'hello', TOKEN: { secret: 'T' }, EMPTY_SECRET: '' }
    expect(warn({ env })).toEqual([
      ['plain-secret', 'environments.production.env.DB_PASSWORD'],
      ['plain-secret', 'environments.production.env.API_KEY'],
    ])
    expect(warn({}, { build: { args: { NPM_TOKEN: 'x' } } })).toEqual([['plain-secret', 'build.args.NPM_TOKEN']])
    const all = recommendations(
      {
        name: 'w',
        source: { git: '/x' },
        image: { registry: 'r', repository: 'w' },
        environments: { a: { ...good, env } },
      },
      'a',
    )
    expect(JSON.stringify(all)).not.toContain('hunter2')
  })

  it('tell of a tag that later builds can take', () => {
    const image = { registry: 'main', repository: 'web' }
    expect(warn({}, { image: { ...image, tag: '${BRANCH}' } })).toEqual([['mutable-tag', 'image.tag']])
    expect(warn({}, { image: { ...image, tag: '${BRANCH}.${BUILD_NUMBER}' } })).toEqual([])
  })

  it('advise against deploying every push to production', () => {
    const triggers = [{ on: 'push', branches: ['main'], environment: 'production' }] as const
    expect(warn({}, { triggers })).toEqual([['below-recommendation', 'triggers.0']])
    expect(warn({ approval: true }, { triggers })).toEqual([])
    expect(warn({}, { triggers: [{ on: 'tag', tags: ['v*'], environment: 'production' }] })).toEqual([])
  })
})

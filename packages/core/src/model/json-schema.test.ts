import { describe, expect, it } from 'vitest'
import type { Json } from '../contracts/v1/json.js'
import { type JsonSchema, serviceDefinitionJsonSchema } from './json-schema.js'
import { parseServiceDefinition } from './schema.js'
import { everything, smallest } from './test-definitions.js'

const schema = serviceDefinitionJsonSchema()

describe('the JSON Schema of a service definition', () => {
  it('says what it is', () => {
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: 'urn:kiwi:service-definition:v1',
      title: 'Kiwi service definition',
      required: ['name', 'source', 'image', 'environments'],
    })
    expect(structuredClone(schema)).toEqual(JSON.parse(JSON.stringify(schema)))
  })

  it('knows every key, closes every object and describes every part of an environment', () => {
    const objects = [...objectsIn(schema)]
    for (const one of objects) expect(one.additionalProperties, JSON.stringify(one).slice(0, 100)).toBeDefined()
    const keys = new Set(objects.flatMap(({ properties = {} }) => Object.keys(properties as JsonSchema)))
    for (const key of keysOf(everything)) expect(keys).toContain(key)
    const environment = (schema.properties as JsonSchema).environments as {
      additionalProperties: { properties: object }
    }
    for (const [key, one] of Object.entries(environment.additionalProperties.properties))
      if (!['resources', 'tolerance', 'namespace'].includes(key))
        expect(one.description, key).toMatch(/\.$|\. Allowed: /)
  })

  it('describes no part that is not there', () => {
    expect(JSON.stringify(schema).match(/Default 3000\. |Default: 1|Tag rule\./g)).toEqual(['Tag rule.'])
  })

  it.each<[string, unknown]>([
    ['the smallest', smallest],
    ['everything', everything],
    ['a directory', { ...smallest, source: { directory: '/srv' } }],
    ['an unknown key', { ...smallest, x: 1 }],
    ['nothing', {}],
    ['a list', []],
    ['a missing name', { ...smallest, name: undefined }],
    ['a wrong name', { ...smallest, name: 'Web' }],
    ['both sources', { ...smallest, source: { git: '/a', directory: '/a' } }],
    ['no environment', { ...smallest, environments: {} }],
    ['a wrong environment name', { ...smallest, environments: { A: { runtime: 'x' } } }],
    ['no runtime', { ...smallest, environments: { a: {} } }],
    ['text for a number', { ...smallest, environments: { a: { runtime: 'x', replicas: '2' } } }],
    ['a fraction', { ...smallest, environments: { a: { runtime: 'x', replicas: 1.5 } } }],
    ['too few releases', { ...smallest, environments: { a: { runtime: 'x', keepReleases: 9 } } }],
    ['a number as a variable', { ...smallest, environments: { a: { runtime: 'x', env: { A: 1 } } } }],
    ['a wrong variable', { ...smallest, environments: { a: { runtime: 'x', env: { 'A-B': '' } } } }],
    ['a strategy that is none', { ...smallest, environments: { a: { runtime: 'x', strategy: 'canary' } } }],
    ['a path out of the repository', { ...smallest, build: { context: 'a/../../b' } }],
    ['a path in the repository', { ...smallest, build: { context: 'a/..b/c..' } }],
    ['a Dockerfile as text', { ...smallest, build: { dockerfile: 'auto' } }],
    ['a Dockerfile without a path', { ...smallest, build: { dockerfile: { mode: 'path' } } }],
    ['an empty command', { ...smallest, environments: { a: { runtime: 'x', command: [] } } }],
    ['a trigger', { ...smallest, triggers: [{ on: 'tag', tags: ['v*'] }] }],
    ['a trigger without tags', { ...smallest, triggers: [{ on: 'tag' }] }],
  ])('and the check that registration makes agree about %s', (_, definition) => {
    expect(fits(JSON.parse(JSON.stringify(definition)), schema)).toBe(isAccepted(definition))
  })
})

function isAccepted(definition: unknown): boolean {
  try {
    return parseServiceDefinition(definition) !== undefined
  } catch {
    return false
  }
}

/** The keywords that the schema uses, as draft 2020-12 defines them; others make it fail. */
const keywords: Readonly<Record<string, (value: Json, rule: never, schema: JsonSchema) => boolean>> = {
  type: (value, type: string) => (type === 'integer' ? Number.isInteger(value) : type === kindOf(value)),
  const: (value, wanted: Json) => value === wanted,
  enum: (value, all: readonly Json[]) => all.includes(value),
  pattern: (value, pattern: string) => typeof value !== 'string' || new RegExp(pattern, 'u').test(value),
  minLength: (value, least: number) => typeof value !== 'string' || value.length >= least,
  minimum: (value, least: number) => typeof value !== 'number' || value >= least,
  maximum: (value, most: number) => typeof value !== 'number' || value <= most,
  minItems: (value, least: number) => !Array.isArray(value) || value.length >= least,
  maxItems: (value, most: number) => !Array.isArray(value) || value.length <= most,
  minProperties: (value, least: number) => !isObject(value) || Object.keys(value).length >= least,
  required: (value, keys: readonly string[]) => !isObject(value) || keys.every((key) => Object.hasOwn(value, key)),
  items: (value, rule: JsonSchema) => !Array.isArray(value) || value.every((one: Json) => fits(one, rule)),
  anyOf: (value, rules: readonly JsonSchema[]) => rules.some((rule) => fits(value, rule)),
  oneOf: (value, rules: readonly JsonSchema[]) => rules.filter((rule) => fits(value, rule)).length === 1,
  propertyNames: (value, rule: JsonSchema) => !isObject(value) || Object.keys(value).every((key) => fits(key, rule)),
  properties: (value, rules: Readonly<Record<string, JsonSchema>>) =>
    !isObject(value) ||
    Object.entries(rules).every(([key, rule]) => !Object.hasOwn(value, key) || fits(value[key] ?? null, rule)),
  additionalProperties: (value, rule: JsonSchema | boolean, { properties = {} }) =>
    !isObject(value) ||
    Object.entries(value).every(
      ([key, one]) =>
        Object.hasOwn(properties as JsonSchema, key) || (rule !== false && (rule === true || fits(one ?? null, rule))),
    ),
}

function fits(value: Json, rules: JsonSchema): boolean {
  return Object.entries(rules).every(([keyword, rule]) => {
    if (['$schema', '$id', 'title', 'description'].includes(keyword)) return true
    const check = keywords[keyword]
    if (!check) throw new Error(`the test does not know ${keyword}`)
    return check(value, rule as never, rules) // each keyword's rule has a form of its own
  })
}

function kindOf(value: Json): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

function isObject(value: Json): value is { readonly [key: string]: Json | undefined } {
  return kindOf(value) === 'object'
}

function* objectsIn(value: Json): Generator<JsonSchema> {
  if (typeof value !== 'object' || value === null) return
  if (isObject(value) && value.type === 'object') yield value as JsonSchema
  for (const one of Object.values(value)) if (one !== undefined) yield* objectsIn(one)
}

/** Keys of objects that are no maps of names people choose. */
function keysOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, one]) => {
    const chosen = ['args', 'contexts', 'env', 'environments', 'secrets'].includes(key)
    const inside = chosen && typeof one === 'object' ? Object.values(one).flatMap(keysOf) : keysOf(one)
    return Array.isArray(value) ? inside : [key, ...inside]
  })
}

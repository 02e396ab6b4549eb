import type { InputProblem } from './problems.js'
import { parseCpu, parseMemory } from './quantity.js'
import { passes } from './schema-parts.js'

/** What is wrong only in the light of another place. Takes plain JSON that may be wrong anywhere, so that it is told with all the rest. */
export function problemsAcross(definition: unknown): InputProblem[] {
  return [...triggersToNowhere(definition), ...limitsBelowRequests(definition)]
}

function triggersToNowhere(definition: unknown): InputProblem[] {
  const triggers = at(definition, 'triggers')
  const environments = at(definition, 'environments')
  if (!Array.isArray(triggers) || !isRecord(environments)) return []
  const allowed = `an environment of the service: ${Object.keys(environments).slice(0, 20).join(', ')}`
  return triggers.flatMap((trigger: unknown, index) => {
    const environment = at(trigger, 'environment')
    if (typeof environment !== 'string' || Object.hasOwn(environments, environment)) return []
    return { path: `triggers.${index}.environment`, given: 'unknown name', allowed }
  })
}

function limitsBelowRequests(definition: unknown): InputProblem[] {
  const environments = at(definition, 'environments')
  return Object.entries(isRecord(environments) ? environments : {}).flatMap(([name, environment]) =>
    Object.entries({ cpu: parseCpu, memory: parseMemory }).flatMap(([key, parse]) => {
      const limit = amount(at(environment, 'resources', 'limits', key), parse)
      const request = amount(at(environment, 'resources', 'requests', key), parse)
      if (limit === undefined || request === undefined || limit >= request) return []
      const path = `environments.${name}.resources.limits.${key}`
      return { path, given: 'less than requested', allowed: `at least as much as resources.requests.${key}` }
    }),
  )
}

function amount(value: unknown, parse: (text: string) => number): number | undefined {
  return typeof value === 'string' && passes(() => parse(value)) ? parse(value) : undefined
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce((inside, key) => (isRecord(inside) && Object.hasOwn(inside, key) ? inside[key] : undefined), value)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

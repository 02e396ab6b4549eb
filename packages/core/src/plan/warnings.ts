import { parseMemory } from '../model/quantity.js'
import { replicasOf } from '../model/render.js'
import type { EnvironmentDefinition, ServiceDefinition } from '../model/service.js'
import { isUniqueTagRule } from '../model/tag.js'
import type { Warning } from './plan.js'

/** The guide's numbers of instances. Environments of other names have none. */
const recommendedReplicas: Readonly<Record<string, number>> = { development: 1, staging: 2, production: 2 }
const leastMemory = '128Mi'
const secretName = /password|passwd|token|secret|api_?key|private_?key|credential/i

/** What a person should know about a definition before it is deployed to one of its environments. Values of variables are not repeated. */
export function recommendations(definition: ServiceDefinition, environmentName: string): Warning[] {
  const { environments } = definition
  const environment = Object.hasOwn(environments, environmentName) ? environments[environmentName] : undefined
  if (environment === undefined) return [...ofTag(definition), ...ofBuildArguments(definition)]
  const at = (key: string) => `environments.${environmentName}.${key}`
  return [
    ...ofReplicas(environmentName, environment, at),
    ...ofResources(environment, at),
    ...ofHealth(environment, at),
    ...ofStrategy(environment, at),
    ...ofVariables(environment.env ?? {}, at('env')),
    ...ofTag(definition),
    ...ofBuildArguments(definition),
    ...ofTriggers(definition, environmentName),
  ]
}

type At = (key: string) => string

function ofReplicas(name: string, environment: EnvironmentDefinition, at: At): Warning[] {
  const recommended = Object.hasOwn(recommendedReplicas, name) ? (recommendedReplicas[name] ?? 1) : 1
  const replicas = replicasOf(name, environment)
  if (replicas >= recommended) return []
  const message = `${name} would run ${count(replicas, 'instance')}; ${recommended} or more are recommended, so that one can fail`
  return [{ code: 'below-recommendation', path: at('replicas'), message }]
}

function ofResources({ resources = {} }: EnvironmentDefinition, at: At): Warning[] {
  const missing = (['requests', 'limits'] as const).flatMap((part): Warning[] => {
    const lacking = (['cpu', 'memory'] as const).filter((key) => resources[part]?.[key] === undefined)
    if (lacking.length === 0) return []
    const effect =
      part === 'requests' ? 'the runtime cannot keep them free' : 'one instance can take them from the others'
    return [
      {
        code: 'unsaid',
        path: at(`resources.${part}`),
        message: `no ${lacking.join(' and no ')} in ${part}: ${effect}`,
      },
    ]
  })
  const limit = resources.limits?.memory
  if (limit === undefined || parseMemory(limit) >= parseMemory(leastMemory)) return missing
  const message = `a memory limit of ${limit} is below ${leastMemory}: the application may be ended for lack of memory`
  return [...missing, { code: 'below-recommendation', path: at('resources.limits.memory'), message }]
}

function ofHealth({ health, publish }: EnvironmentDefinition, at: At): Warning[] {
  const type = health?.type ?? publish?.protocol ?? 'http'
  if (type === 'tcp' || health?.path !== undefined) return []
  const message = 'no path for the health check: / is asked, and any answer below 400 counts as healthy'
  return [{ code: 'no-health-check', path: at('health.path'), message }]
}

function ofStrategy({ strategy, beforeSwitch }: EnvironmentDefinition, at: At): Warning[] {
  const warnings: Warning[] = []
  if (strategy === 'recreate') {
    const message = 'recreate ends the running instances before new ones start: the service is away meanwhile'
    warnings.push({ code: 'downtime', path: at('strategy'), message })
  }
  if (beforeSwitch?.schemaChange) {
    const message = 'the release changes the schema: a rollback across it has to be asked for with acceptSchemaChange'
    warnings.push({ code: 'schema-change', path: at('beforeSwitch.schemaChange'), message })
  } else if (beforeSwitch && beforeSwitch.schemaChange === undefined) {
    const message =
      'a command runs before the switch and it is not said whether it changes the schema: a rollback would cross it unasked'
    warnings.push({ code: 'unsaid', path: at('beforeSwitch.schemaChange'), message })
  }
  return warnings
}

function ofVariables(values: NonNullable<EnvironmentDefinition['env']>, path: string): Warning[] {
  return Object.entries(values).flatMap(([key, value]): Warning[] => {
    if (typeof value !== 'string' || value === '' || !secretName.test(key)) return []
    const message = `${key} looks like a secret and stands in the definition as it is; name it with secret('…') instead`
    return [{ code: 'plain-secret', path: `${path}.${key}`, message }]
  })
}

function ofBuildArguments({ build }: ServiceDefinition): Warning[] {
  return Object.entries(build?.args ?? {}).flatMap(([key, value]): Warning[] => {
    if (value === '' || !secretName.test(key)) return []
    const message = `${key} looks like a secret, and build arguments stay readable in the image`
    return [{ code: 'plain-secret', path: `build.args.${key}`, message }]
  })
}

function ofTag({ image }: ServiceDefinition): Warning[] {
  if (isUniqueTagRule(image.tag)) return []
  const message =
    'the tag rule has neither ${SHORT_SHA} nor ${BUILD_NUMBER}: later builds can take the tag of earlier ones'
  return [{ code: 'mutable-tag', path: 'image.tag', message }]
}

/** The guide: production is deployed by tags. */
function ofTriggers({ triggers = [], environments }: ServiceDefinition, name: string): Warning[] {
  if (name !== 'production' || environments[name]?.approval) return []
  return triggers.flatMap((trigger, index): Warning[] => {
    if (trigger.environment !== name || trigger.on !== 'push') return []
    const message =
      'every push is deployed to production without approval; a trigger on tags, or approval, is recommended'
    return [{ code: 'below-recommendation', path: `triggers.${index}`, message }]
  })
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

import type { EnvironmentDefinition } from '../model/service.js'
import { named } from '../registers/named.js'
import type { EnvironmentRun } from './pipeline-run.js'

export function environmentOf({ request }: EnvironmentRun): EnvironmentDefinition {
  return named(request.definition.environments, request.environment, 'environment')
}

import type { Registry } from '../contracts/v1/registry.js'
import type { Runtime } from '../contracts/v1/runtime.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { EnvironmentDefinition } from '../model/service.js'
import type { PipelineRun } from './pipeline-run.js'

export function registryOf({ adapters }: PipelineRun, name: string): Registry {
  return named(adapters.registries, name, 'registry')
}

export function runtimeOf({ adapters }: PipelineRun, name: string): Runtime {
  return named(adapters.runtimes, name, 'runtime')
}

export function environmentOf({ request }: PipelineRun): EnvironmentDefinition {
  return named(request.definition.environments, request.environment, 'environment')
}

function named<T>(all: Readonly<Record<string, T>>, name: string, kind: string): T {
  const one = Object.hasOwn(all, name) ? all[name] : undefined
  if (one !== undefined) return one
  throw new KiwiError(
    'INPUT_INVALID',
    `there is no ${kind} '${name}'; there are: ${Object.keys(all).join(', ') || 'none'}`,
  )
}

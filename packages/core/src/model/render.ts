import type { InstanceSpec, ResourceAmounts } from '../contracts/v1/actions.js'
import type { Target } from '../contracts/v1/runtime.js'
import { parseCpu, parseMemory } from './quantity.js'
import type { EnvironmentDefinition, ResourceQuantities } from './service.js'

/** The environment's definition with its defaults, as the release keeps it: what a rollback runs again. */
export function renderSpec(environment: EnvironmentDefinition): InstanceSpec {
  const { health, entrypoint, command, resources } = environment
  const type = health?.type ?? (environment.publish?.protocol === 'tcp' ? 'tcp' : 'http')
  return {
    ...(entrypoint && { entrypoint }),
    ...(command && { command }),
    env: environment.env ?? {},
    port: environment.port ?? 3000,
    health: {
      type,
      ...(type === 'http' && { path: health?.path ?? '/' }),
      intervalMs: health?.intervalMs ?? 2_000,
      timeoutMs: health?.timeoutMs ?? 2_000,
    },
    volumes: (environment.volumes ?? []).map(({ source, path, readOnly }) => ({
      source,
      path,
      readOnly: readOnly ?? false,
    })),
    resources: { requests: amountsOf(resources?.requests), limits: amountsOf(resources?.limits) },
    stopGraceMs: environment.stopGraceMs ?? 10_000,
  }
}

/** How many instances the environment of that name runs. Default: 1 in `development`, else 2. */
export function replicasOf(name: string, { replicas }: EnvironmentDefinition): number {
  return replicas ?? (name === 'development' ? 1 : 2)
}

export function targetOf(service: string, name: string, environment: EnvironmentDefinition): Target {
  const { namespace, publish } = environment
  return {
    service,
    environment: name,
    ...(namespace && { namespace }),
    publish: {
      protocol: publish?.protocol ?? 'http',
      address: publish?.address ?? '127.0.0.1',
      port: publish?.port ?? 0,
    },
  }
}

function amountsOf({ cpu, memory }: ResourceQuantities = {}): ResourceAmounts {
  return {
    ...(cpu !== undefined && { cpuMillis: parseCpu(cpu) }),
    ...(memory !== undefined && { memoryBytes: parseMemory(memory) }),
  }
}

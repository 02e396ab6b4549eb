import type { InstanceSpec } from '../contracts/v1/actions.js'
import type { Target } from '../contracts/v1/runtime.js'
import type { EnvironmentDefinition } from './service.js'

/** The environment's definition with its defaults, as the release keeps it: what a rollback runs again. */
export function renderSpec(environment: EnvironmentDefinition): InstanceSpec {
  const { health, entrypoint, command } = environment
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
    stopGraceMs: environment.stopGraceMs ?? 10_000,
  }
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

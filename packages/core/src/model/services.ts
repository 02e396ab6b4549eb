import type { Json } from '../contracts/v1/json.js'
import type { Store } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { parseServiceDefinition } from './schema.js'
import type { ServiceDefinition } from './service.js'

export interface Services {
  /** Checks the definition whole and keeps it; replaces an earlier one of that name. Rejects with `INPUT_INVALID`. */
  register(definition: ServiceDefinition): Promise<void>
  get(name: string): Promise<ServiceDefinition | undefined>
  list(): Promise<readonly ServiceDefinition[]>
}

/** The register of services, kept in the store. */
export function servicesOf(store: Store): Services {
  const toDefinition = (value: Json) => value as unknown as ServiceDefinition // `register` checked it
  return {
    async register(input) {
      const definition = parseServiceDefinition(input)
      await store.documents.put({ kind: 'service', key: definition.name, value: definition as unknown as Json })
    },
    async get(name) {
      const value = await store.documents.get('service', name)
      return value === undefined ? undefined : toDefinition(value)
    },
    list: async () => (await store.documents.list('service', '')).map(({ value }) => toDefinition(value)),
  }
}

/** Rejects with `SERVICE_UNKNOWN`, or `INPUT_INVALID` for an environment that it does not have. */
export async function definitionOf(store: Store, service: string, environment: string): Promise<ServiceDefinition> {
  const definition = await servicesOf(store).get(service)
  if (!definition) throw new KiwiError('SERVICE_UNKNOWN', `there is no service '${service}'`)
  if (Object.hasOwn(definition.environments, environment)) return definition
  const known = Object.keys(definition.environments).join(', ')
  throw new KiwiError('INPUT_INVALID', `${service} has no environment '${environment}'; it has ${known}`)
}

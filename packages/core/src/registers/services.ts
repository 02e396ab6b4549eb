import type { Json } from '../contracts/v1/json.js'
import type { Store } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { parseServiceDefinition } from '../model/schema.js'
import type { ServiceDefinition } from '../model/service.js'
import { current, history } from '../release/history.js'

/** What is built and deployed, kept in the store; a run under way keeps the definition that it began with. */
export interface Services {
  /**
   * Checks the definition whole and keeps it; replaces an earlier one of that name. Rejects with `INPUT_INVALID`, and with `IN_USE` when an
   * environment in which it runs goes or moves to another runtime.
   */
  register(definition: ServiceDefinition): Promise<void>
  get(name: string): Promise<ServiceDefinition | undefined>
  list(): Promise<readonly ServiceDefinition[]>
  /** Replaces whole parts of a definition that is there. Rejects with `SERVICE_UNKNOWN`, `INPUT_INVALID`. */
  update(name: string, changes: Partial<Omit<ServiceDefinition, 'name'>>): Promise<ServiceDefinition>
  /** Rejects with `IN_USE` while it runs somewhere or has an unfinished run; the history stays. Answers whether it was there. */
  remove(name: string): Promise<boolean>
}

export function servicesOf(store: Store): Services {
  const toDefinition = (value: Json) => value as unknown as ServiceDefinition // `keep` checked it
  const get = async (name: string) => {
    const value = await store.documents.get('service', name)
    return value === undefined ? undefined : toDefinition(value)
  }
  const keep = async (input: unknown) => {
    const definition = parseServiceDefinition(input)
    await refuseStrays(store, await get(definition.name), definition)
    await store.documents.put({ kind: 'service', key: definition.name, value: definition as unknown as Json })
    return definition
  }
  return {
    get,
    register: async (input) => void (await keep(input)),
    list: async () => (await store.documents.list('service', '')).map(({ value }) => toDefinition(value)),
    async update(name, changes) {
      const definition = await get(name)
      if (!definition) throw unknownService(name)
      return keep({ ...definition, ...changes, name })
    },
    async remove(name) {
      const definition = await get(name)
      if (!definition) return false
      const uses = await usesOf(store, definition)
      if (uses.length > 0) throw new KiwiError('IN_USE', `${name} cannot be removed: ${uses.join(', ')}`)
      return store.documents.remove('service', name)
    },
  }
}

/** Rejects with `SERVICE_UNKNOWN`, or `INPUT_INVALID` for an environment that it does not have. */
export async function definitionOf(store: Store, service: string, environment?: string): Promise<ServiceDefinition> {
  const definition = await servicesOf(store).get(service)
  if (!definition) throw unknownService(service)
  if (environment === undefined || Object.hasOwn(definition.environments, environment)) return definition
  const known = Object.keys(definition.environments).join(', ')
  throw new KiwiError('INPUT_INVALID', `${service} has no environment '${environment}'; it has ${known}`)
}

function unknownService(name: string): KiwiError {
  return new KiwiError('SERVICE_UNKNOWN', `there is no service '${name}'`)
}

/** What runs somewhere must stay within reach: rejects with `IN_USE` when its environment goes, or moves to another runtime. */
async function refuseStrays(
  store: Store,
  before: ServiceDefinition | undefined,
  after: ServiceDefinition,
): Promise<void> {
  for (const [name, { runtime }] of Object.entries(before?.environments ?? {})) {
    const now = Object.hasOwn(after.environments, name) ? after.environments[name] : undefined
    if (now?.runtime === runtime || !current(await history(store, after.name, name))) continue
    const what = now ? `moves from the runtime ${runtime} to ${now.runtime}` : 'goes'
    throw new KiwiError('IN_USE', `${after.name} runs in ${name}, which ${what}: undeploy it there first`)
  }
}

async function usesOf(store: Store, { name, environments }: ServiceDefinition): Promise<string[]> {
  const unfinished = await store.runs({ service: name, unfinished: true })
  const running = await Promise.all(
    Object.keys(environments).map(async (environment) =>
      current(await history(store, name, environment)) ? [`it runs in ${environment}`] : [],
    ),
  )
  return [...unfinished.map(({ runId }) => `run ${runId} is not finished`), ...running.flat()]
}

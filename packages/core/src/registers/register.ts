import type { Clock } from '../contracts/v1/clock.js'
import type { Context, Probe } from '../contracts/v1/context.js'
import type { Json } from '../contracts/v1/json.js'
import type { Store } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { parseAdapterEntry } from '../model/schema.js'
import type { ServiceDefinition } from '../model/service.js'
import type { Redactor } from '../secrets/redactor.js'
import { type AdapterPool, toEntry } from './adapters.js'
import type { AdapterEntry, AdapterRegister, RegisteredAdapter } from './entry.js'
import { unknownName } from './named.js'
import { probed } from './probe.js'
import { servicesOf } from './services.js'

interface Probed {
  probe(context: Context): Promise<Probe>
  readonly kind: string
}

export interface RegisterOptions {
  readonly store: Store
  readonly clock: Clock
  readonly context: Context
  readonly redactor: Redactor
}

/** The register of one part, over the pool that makes its adapters. */
export function adapterRegister<Adapter extends Probed>(
  pool: AdapterPool<Adapter>,
  { store, clock, context, redactor }: RegisterOptions,
): AdapterRegister {
  const { part } = pool
  const keep = async (input: unknown): Promise<RegisteredAdapter> => {
    const entry = parseAdapterEntry(input)
    if (Object.hasOwn(pool.fixed, entry.name))
      throw new KiwiError('INPUT_INVALID', `the ${part} ${entry.name} is given in code and cannot be registered`)
    await store.documents.put({ kind: part, key: entry.name, value: entry as unknown as Json })
    return describe(entry)
  }
  const describe = async (entry: AdapterEntry): Promise<RegisteredAdapter> => {
    const because = await pool.get(entry.name).then(
      () => undefined,
      (error: unknown) => redactor.text(KiwiError.from(error).message),
    )
    return { ...entry, origin: 'store', available: because === undefined, because, ...(await known(entry.name)) }
  }
  const given = async ([name, { kind }]: [string, Adapter]): Promise<RegisteredAdapter> => {
    return { name, kind, settings: {}, secrets: {}, origin: 'code', available: true, ...(await known(name)) }
  }
  const known = async (name: string) => {
    const lastProbe = (await store.documents.get('probe', `${part}/${name}`)) as RegisteredAdapter['lastProbe'] // written below
    return { ...(lastProbe && { lastProbe }), usedBy: await usersOf(store, part, name) }
  }
  const list = async () => {
    const stored = await store.documents.list(part, '')
    return Promise.all([
      ...Object.entries(pool.fixed).map(given),
      ...stored.map(({ value }) => describe(toEntry(value))),
    ])
  }
  return {
    register: ({ name, kind, settings = {}, secrets = {} }) => keep({ name, kind, settings, secrets }),
    list,
    async get(name) {
      return (await list()).find((one) => one.name === name)
    },
    async update(name, changes) {
      const value = await store.documents.get(part, name)
      if (value === undefined) throw unknownName(part, name, await pool.names())
      return keep({ ...toEntry(value), ...changes, name })
    },
    async remove(name) {
      const users = await usersOf(store, part, name)
      if (users.length > 0 && !Object.hasOwn(pool.fixed, name))
        throw new KiwiError('IN_USE', `the ${part} ${name} is named by ${users.join(', ')}`, { evidence: { users } })
      return store.documents.remove(part, name)
    },
    async probe(name) {
      const names = await pool.names()
      if (!names.includes(name)) throw unknownName(part, name, names)
      const probe = await probed(() => pool.get(name), context)
      const answer = redactor.json(probe as unknown as Json) as unknown as Probe // plain JSON; an adapter may quote a secret in it
      const value = { ...answer, at: clock.now() }
      await store.documents.put({ kind: 'probe', key: `${part}/${name}`, value })
      return answer
    },
  }
}

async function usersOf(store: Store, part: 'registry' | 'runtime', name: string): Promise<string[]> {
  const definitions = await servicesOf(store).list()
  return definitions.flatMap((definition) => uses(definition, part, name))
}

function uses(definition: ServiceDefinition, part: 'registry' | 'runtime', name: string): string[] {
  if (part === 'registry') return definition.image.registry === name ? [definition.name] : []
  const named = Object.entries(definition.environments).filter(([, { runtime }]) => runtime === name)
  return named.map(([environment]) => `${definition.name}/${environment}`)
}

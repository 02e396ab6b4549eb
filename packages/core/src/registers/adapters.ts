import type { Builder } from '../contracts/v1/builder.js'
import type { Json } from '../contracts/v1/json.js'
import type { Registry } from '../contracts/v1/registry.js'
import type { Runtime } from '../contracts/v1/runtime.js'
import type { Source } from '../contracts/v1/source.js'
import type { Store } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { SourceDefinition } from '../model/service.js'
import type { AdapterEntry, AdapterFactory } from './entry.js'
import { unknownName } from './named.js'

/** What is plugged into Kiwi, by registered name. */
export interface Adapters {
  /** Asked in this order which of them fits. */
  readonly builders: Readonly<Record<string, Builder>>
  readonly registries: AdapterPool<Registry>
  readonly runtimes: AdapterPool<Runtime>
  source(definition: SourceDefinition): Promise<Source>
}

/** The live adapters of one register in this process. */
export interface AdapterPool<Adapter> {
  readonly part: Part
  /** Handed to `createKiwi` as they are. */
  readonly fixed: Readonly<Record<string, Adapter>>
  readonly kinds: readonly string[]
  names(): Promise<readonly string[]>
  /** Rejects with `INPUT_INVALID` for a name that nobody registered, `ADAPTER_UNAVAILABLE` where this process lacks the kind or the factory fails. */
  get(name: string): Promise<Adapter>
}

export type Part = 'registry' | 'runtime'

export function adapterPool<Adapter>(
  part: Part,
  store: Store,
  fixed: Readonly<Record<string, Adapter>>,
  factories: Readonly<Record<string, AdapterFactory<Adapter>>>,
): AdapterPool<Adapter> {
  const made = new Map<string, { readonly entry: string; readonly adapter: Promise<Adapter> }>()
  const names = async () => [...Object.keys(fixed), ...(await store.documents.list(part, '')).map(({ key }) => key)]
  return {
    part,
    fixed,
    kinds: Object.keys(factories),
    names,
    async get(name) {
      const own = Object.hasOwn(fixed, name) ? fixed[name] : undefined
      if (own !== undefined) return own
      const value = await store.documents.get(part, name)
      if (value === undefined) throw unknownName(part, name, await names())
      const entry = toEntry(value)
      const kept = made.get(name)
      const text = JSON.stringify(entry)
      if (kept?.entry === text) return kept.adapter
      const adapter = make(part, entry, factories)
      made.set(name, { entry: text, adapter })
      adapter.catch(() => made.delete(name)) // the next one who asks tries again
      return adapter
    },
  }
}

/** Written by registers/register.ts, and only there. */
export function toEntry(value: Json): AdapterEntry {
  return value as unknown as AdapterEntry
}

async function make<Adapter>(
  part: Part,
  entry: AdapterEntry,
  factories: Readonly<Record<string, AdapterFactory<Adapter>>>,
): Promise<Adapter> {
  const factory = Object.hasOwn(factories, entry.kind) ? factories[entry.kind] : undefined
  if (!factory) throw unavailable(part, entry, `this process has no kind '${entry.kind}'`)
  try {
    return await factory(entry)
  } catch (cause) {
    throw unavailable(part, entry, KiwiError.from(cause).message, cause)
  }
}

function unavailable(part: Part, { name, kind }: AdapterEntry, why: string, cause?: unknown): KiwiError {
  return new KiwiError('ADAPTER_UNAVAILABLE', `the ${part} ${name} cannot be used here: ${why}`, {
    evidence: { part, name, kind },
    ...(cause !== undefined && { cause }),
  })
}

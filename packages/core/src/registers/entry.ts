import type { Probe, SecretReference } from '../contracts/v1/context.js'
import type { Json } from '../contracts/v1/json.js'

/** A registry or runtime as it is kept in the store: plain JSON, secrets by reference. */
export interface AdapterEntry {
  /** Lower-case letters, digits and dashes: how services name it. */
  readonly name: string
  /** Names the factory that `createKiwi` was given. */
  readonly kind: string
  readonly settings: { readonly [key: string]: Json }
  readonly secrets: Readonly<Record<string, SecretReference>>
}

/** Makes an adapter of one kind. Called again when the entry changes. Secrets are looked up at use: `context.secret(entry.secrets.token, …)`. */
export type AdapterFactory<Adapter> = (entry: AdapterEntry) => Adapter | Promise<Adapter>

/** One line of a register. */
export interface RegisteredAdapter extends AdapterEntry {
  /** `code`: handed to `createKiwi` as it is, the register cannot change it. */
  readonly origin: 'code' | 'store'
  /** Whether this process can make it; if not, runs that need it wait. */
  readonly available: boolean
  readonly because?: string | undefined
  /** The last answer that any process got; `at` in milliseconds since 1970. */
  readonly lastProbe?: (Probe & { readonly at: number }) | undefined
  /** What names it: `web/production` for an environment, `web` for a service. */
  readonly usedBy: readonly string[]
}

/** `registries` and `runtimes`: kept in the store, changed while runs go on; a run under way keeps what it has. */
export interface AdapterRegister {
  /** Keeps the entry; replaces an earlier one of that name. Rejects with `INPUT_INVALID`. */
  register(entry: {
    readonly name: string
    readonly kind: string
    readonly settings?: AdapterEntry['settings'] | undefined
    readonly secrets?: AdapterEntry['secrets'] | undefined
  }): Promise<RegisteredAdapter>
  get(name: string): Promise<RegisteredAdapter | undefined>
  list(): Promise<readonly RegisteredAdapter[]>
  /** Changes kind, settings or secrets of an entry that is there. Rejects with `INPUT_INVALID`. */
  update(name: string, changes: Partial<Omit<AdapterEntry, 'name'>>): Promise<RegisteredAdapter>
  /** Rejects with `IN_USE` while a service names it. Answers whether it was there. */
  remove(name: string): Promise<boolean>
  /** Asks the adapter how it is, and keeps the answer. */
  probe(name: string): Promise<Probe>
}

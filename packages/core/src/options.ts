import type { Builder } from './contracts/v1/builder.js'
import type { Clock } from './contracts/v1/clock.js'
import type { Registry } from './contracts/v1/registry.js'
import type { Runtime } from './contracts/v1/runtime.js'
import type { Source } from './contracts/v1/source.js'
import type { Store } from './contracts/v1/store.js'
import type { SourceDefinition } from './model/service.js'
import type { AdapterFactory } from './registers/entry.js'
import type { SecretResolver } from './secrets/resolver.js'

export interface KiwiOptions {
  /** By name; asked in this order which one fits. */
  readonly builders: Readonly<Record<string, Builder>>
  /** Registries and runtimes of this program, by name; others are kept in the store with `kiwi.registries.register` and `kiwi.runtimes.register`. */
  readonly registries?: Readonly<Record<string, Registry>> | undefined
  readonly runtimes?: Readonly<Record<string, Runtime>> | undefined
  /** Makes the registered ones, by their `kind`. */
  readonly kinds?:
    | {
        readonly registries?: Readonly<Record<string, AdapterFactory<Registry>>> | undefined
        readonly runtimes?: Readonly<Record<string, AdapterFactory<Runtime>>> | undefined
      }
    | undefined
  /** Takes the place of Kiwi's own sources where it answers one: a source in memory for tests. */
  readonly source?: ((definition: SourceDefinition) => Source | undefined) | undefined
  readonly store: Store
  /** Looks a secret's value up at use. Default: the environment variable of that name. */
  readonly secrets?: SecretResolver | undefined
  /** Where images, sources and caches lie. Default: `.kiwi` in the working directory. */
  readonly directory?: string | undefined
  readonly clock?: Clock | undefined
  /** Called at every numbered place of a run where a crash leaves a different state behind: for campaigns that kill the process there. */
  readonly onKillPoint?: ((point: { readonly number: number; readonly name: string }) => void) | undefined
}

import { join, resolve } from 'node:path'
import { type EmbeddedRegistry, embeddedRegistry } from '@kiwi/adapter-registry'
import { type Builder, createKiwi, type Kiwi, type KiwiOptions, type Registry, sqliteStore } from '@kiwi/core'
import { quietContext } from './base-image/context.js'
import { provideNodeImage } from './base-image/index.js'
import { localBuilder } from './builder/index.js'
import { chooseIsolation, type Isolation } from './isolation/index.js'
import { layerStore } from './layers/index.js'
import { type LocalRuntime, localRuntime } from './runtime/index.js'

export interface EmbeddedKiwiOptions extends Pick<KiwiOptions, 'secrets' | 'onKillPoint'> {
  /** Everything lies in here: store, images, layers, running environments. Default: `.kiwi` in the working directory. */
  readonly directory?: string | undefined
  /** Further registries, by name, for base images and for pushing. */
  readonly registries?: Readonly<Record<string, Registry>> | undefined
  /** How commands of a build and instances are kept apart from this machine. Default: as well as it can be had here. */
  readonly isolation?: Isolation | undefined
}

/** Kiwi with nothing but this machine: builder and runtime `local`, registry `embedded`, a SQLite store. */
export interface EmbeddedKiwi extends Kiwi {
  readonly builder: Builder
  readonly registry: EmbeddedRegistry
  readonly runtime: LocalRuntime
  /** Makes the base image `embedded/node-of-this-machine` if it is not there yet; resolves to its full name. */
  provideNodeImage(signal?: AbortSignal): Promise<string>
}

/**
 * @example
 * const kiwi = await createEmbeddedKiwi({ directory: '/var/lib/kiwi' })
 * await kiwi.services.register({ name: 'web', source: { git: '/srv/web.git' }, image: { registry: 'embedded', repository: 'web' },
 *   environments: { production: { runtime: 'local', publish: { port: 8080 } } } })
 * const run = await kiwi.release('web', { ref: 'main', environment: 'production', by: 'ana' })
 */
export async function createEmbeddedKiwi(options: EmbeddedKiwiOptions = {}): Promise<EmbeddedKiwi> {
  const directory = resolve(options.directory ?? '.kiwi')
  const { isolation, registries, secrets, onKillPoint } = options
  const images = join(directory, 'images')
  const { kind } = await chooseIsolation(isolation ?? 'auto', directory, new AbortController().signal)
  const layers = kind === 'namespaces' ? layerStore(directory) : undefined // plain processes need layers in another form
  const builder = localBuilder({ directory: join(directory, 'builder'), images, isolation, layers })
  const runtime = localRuntime({ directory: join(directory, 'runtime'), images, isolation, layers })
  const registry = embeddedRegistry({ directory: join(directory, 'registry') })
  await registry.listen() // its address must be known before a runtime asks for it
  const store = sqliteStore({ path: join(directory, 'kiwi.sqlite') })
  const kiwi = await createKiwi({
    builders: { local: builder },
    registries: { embedded: registry, ...registries },
    runtimes: { local: runtime },
    store,
    secrets,
    directory,
    onKillPoint,
  })
  const close = async () => {
    await kiwi.close()
    await registry[Symbol.asyncDispose]()
    await store.close()
  }
  return {
    ...kiwi,
    builder,
    registry,
    runtime,
    provideNodeImage: (signal = new AbortController().signal) =>
      provideNodeImage({ builder, registry, directory, context: quietContext(signal) }),
    close,
    [Symbol.asyncDispose]: close,
  }
}

import {
  type Context,
  type Descriptor,
  type Digest,
  type ImagePlace,
  type ImageSource,
  KiwiError,
  type Probe,
  type Protection,
  type Registry,
} from '@kiwi/core'
import { isTag, parseDigest, requirePlace, requireRepository } from '../names.js'
import { type EmbeddedRegistryServer, serveRegistry } from '../server/index.js'
import { type Collected, type CollectOptions, openStorage, type Storage } from '../storage/index.js'
import { folderSink } from './sink.js'
import { folderSource } from './source.js'

export type { Collected, CollectOptions }

export interface EmbeddedRegistryOptions {
  /** Made when it is missing. Several processes may use it at a time; each serves it on a port of its own. */
  readonly directory: string
  /** How recorded references begin. Default `'embedded'`. */
  readonly name?: string | undefined
}

/** A registry in a folder of this machine. This process reads and writes the folder itself; engines are served over HTTP. */
export interface EmbeddedRegistry extends Registry, AsyncDisposable {
  tags(repository: string, context: Context): AsyncIterable<string>
  remove(place: ImagePlace, context: Context): Promise<boolean>
  /** `by: 'folder'`: garbage collection keeps every manifest, tagged or not, so that all of them stay until `remove`. */
  protect(repository: string, digests: readonly Digest[], context: Context): Promise<Protection>
  /** Frees what no manifest needs any more, also while others push; see the options for how recent it may be. */
  collectGarbage(options?: CollectOptions): Promise<Collected>
  /** Resolves when the server runs: `address` can answer from then on. */
  listen(): Promise<EmbeddedRegistryServer>
}

/**
 * Opens the registry of a folder. Its server starts at once, on a free port of 127.0.0.1, and does not keep the process alive;
 * `address` throws `REGISTRY_UNREACHABLE` until `listen` (or any question that is awaited) has resolved.
 * @example await using registry = embeddedRegistry({ directory: '/var/lib/kiwi/registry' })
 */
export function embeddedRegistry(options: EmbeddedRegistryOptions): EmbeddedRegistry {
  const { directory, name = 'embedded' } = options
  const storage = openStorage(directory)
  const server = startOnce(directory)
  server.start().catch(() => undefined) // tried again by whoever needs it, who is told
  return {
    contract: 'registry/v1',
    kind: 'embedded',
    listen: server.start,
    probe: () => probe(directory, server),
    async check(repository, right) {
      requireRepository(repository)
      await server.start()
      if (right === 'push') await tryWrite(storage)
    },
    async resolve(place) {
      const [found] = await Promise.all([resolve(storage, place), server.start()])
      return found
    },
    source: (place, context) => openSource(storage, place, name, context),
    sink(repository) {
      return folderSink(storage, requireRepository(repository))
    },
    async *tags(repository) {
      yield* (await storage.repositories.tags(requireRepository(repository))) ?? []
    },
    async remove(place) {
      const { repository, reference } = requirePlace(place)
      const { removeTag, removeManifest } = storage.repositories
      return isTag(reference) ? removeTag(repository, reference) : removeManifest(repository, reference)
    },
    protect: (repository, digests) => protect(storage, requireRepository(repository), digests),
    collectGarbage: storage.collect,
    address: (repository) => `${server.address()}/${requireRepository(repository)}`,
    [Symbol.asyncDispose]: server.stop,
  }
}

async function probe(directory: string, server: SharedServer): Promise<Probe> {
  try {
    const { address } = await server.start()
    return { ok: true, summary: `${directory}, served on ${address}`, details: { directory, address } }
  } catch (error) {
    return {
      ok: false,
      summary: `${directory} cannot be served: ${KiwiError.from(error).message}`,
      details: { directory },
    }
  }
}

async function tryWrite({ directory, uploads }: Storage): Promise<void> {
  try {
    await uploads.cancel(await uploads.begin())
  } catch (cause) {
    if (KiwiError.from(cause).code === 'DISK_FULL') throw KiwiError.from(cause)
    throw new KiwiError('REGISTRY_DENIED', `the registry’s folder ${directory} cannot be written`, {
      hint: 'Give this process the right to write there, or choose another folder.',
      cause,
    })
  }
}

async function resolve({ content, repositories }: Storage, place: ImagePlace): Promise<Descriptor | undefined> {
  const { repository, reference } = requirePlace(place)
  const digest = isTag(reference) ? await repositories.tag(repository, reference) : reference
  if (digest === undefined) return undefined
  const [mediaType, size] = await Promise.all([repositories.manifestType(repository, digest), content.size(digest)])
  return mediaType === undefined || size === undefined ? undefined : { mediaType, digest, size }
}

async function protect(storage: Storage, repository: string, digests: readonly Digest[]): Promise<Protection> {
  const kept: Digest[] = []
  const notKept: { readonly digest: Digest; readonly because: string }[] = []
  for (const digest of new Set(digests)) {
    const found = parseDigest(digest) && (await resolve(storage, { repository, reference: digest }))
    if (found) kept.push(digest)
    else notKept.push({ digest, because: 'the folder does not have it' })
  }
  return { by: 'folder', kept, notKept }
}

async function openSource(
  storage: Storage,
  place: ImagePlace,
  name: string,
  { signal }: Context,
): Promise<ImageSource> {
  signal.throwIfAborted()
  const root = await resolve(storage, place)
  if (root) return folderSource(storage, root, { registry: name, repository: place.repository })
  throw new KiwiError('MANIFEST_UNKNOWN', `${name}/${place.repository} has no ${place.reference}`, {
    evidence: { directory: storage.directory },
  })
}

interface SharedServer {
  start(): Promise<EmbeddedRegistryServer>
  stop(): Promise<void>
  address(): string
}

function startOnce(directory: string): SharedServer {
  let starting: Promise<EmbeddedRegistryServer & AsyncDisposable> | undefined
  let running: EmbeddedRegistryServer | undefined
  const start = async () => {
    starting ??= serveRegistry({ directory, background: true }).catch((error: unknown) => {
      starting = undefined
      throw error
    })
    running = await starting
    return running
  }
  return {
    start,
    async stop() {
      const server = await starting?.catch(() => undefined)
      starting = undefined
      running = undefined
      await server?.close()
    },
    address() {
      if (running) return running.address
      throw new KiwiError('REGISTRY_UNREACHABLE', 'the embedded registry is not served yet', {
        hint: 'Await listen(), probe, check or resolve of the registry before asking for its address.',
      })
    },
  }
}

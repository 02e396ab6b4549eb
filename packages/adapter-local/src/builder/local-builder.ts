import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Builder, type Context, ociLayout, type Probe } from '@kiwi/core'
import { chooseIsolation, type FoundIsolation, type Isolation, missingTools } from '../isolation/index.js'
import { type LayerStore, layerStore, removeLeftovers } from '../layers/index.js'
import { build } from './build.js'
import { stepCache } from './cache.js'
import { missingFor } from './fit.js'
import type { Workshop } from './workshop.js'

export interface LocalBuilderOptions {
  /** Holds caches and unpacked layers; on a local file system. */
  readonly directory: string
  /** Where images lie, as blobs by digest; share it with whoever takes the images and nothing is copied. Default: `directory`. */
  readonly images?: string | undefined
  /** Unpacked layers; share it with the local runtime and nothing is unpacked twice. Default: a store in `directory`. */
  readonly layers?: LayerStore | undefined
  /** Default `auto`. */
  readonly isolation?: Isolation | undefined
}

/**
 * Builds Dockerfiles on this machine, without a daemon and without any other program but tar and, for RUN, util-linux.
 * @example
 * const builder = localBuilder({ directory: '/var/lib/kiwi/builder' })
 * const image = await builder.build(request, { tree, sink, image }, context)
 */
export function localBuilder(options: LocalBuilderOptions): Builder {
  const directory = resolve(options.directory)
  const wanted = options.isolation ?? 'auto'
  const isolation = once((signal: AbortSignal) => chooseIsolation(wanted, directory, signal))
  const workshop: Workshop = {
    directory,
    layout: ociLayout(options.images ?? directory),
    layers: options.layers ?? layerStore(directory),
    cache: stepCache(directory),
    images: new Map(),
    pulls: new Map(),
    isolation,
  }
  const tidy = once(() => removeLeftovers(directory))
  return {
    contract: 'builder/v1',
    kind: 'local',
    probe: (context) => probe(isolation, directory, context),
    async fit(need, { signal }) {
      const missing = missingFor(need, await isolation(signal))
      return { ok: missing.length === 0, missing }
    },
    find: async (key) => {
      const image = await workshop.cache.image(key)
      const there = image !== undefined && (await isThere(workshop, image.manifest.digest))
      return there ? image : undefined
    },
    async build(request, io, context) {
      await tidy(context.signal)
      return build(workshop, request, io, context)
    },
  }
}

async function isThere({ layout }: Workshop, digest: string): Promise<boolean> {
  return access(layout.path(digest)).then(
    () => true,
    () => false,
  )
}

async function probe(
  isolation: (signal: AbortSignal) => Promise<FoundIsolation>,
  directory: string,
  { signal }: Context,
): Promise<Probe> {
  const { kind, because, cure } = await isolation(signal)
  const missing = missingTools()
  return {
    ok: kind !== 'missing',
    summary:
      kind === 'missing' ? `RUN cannot be isolated: ${because}` : `builds here with isolation ${kind}: ${because}`,
    details: {
      isolation: kind,
      directory,
      ...(cure !== undefined && { cure }),
      ...(missing.length > 0 && { missing: missing.join(', ') }),
    },
  }
}

/** One success is kept; after a failure the next caller tries again. */
function once<T>(make: (signal: AbortSignal) => Promise<T>): (signal: AbortSignal) => Promise<T> {
  let made: Promise<T> | undefined
  return async (signal) => {
    made ??= make(signal)
    try {
      return await made
    } catch (error) {
      made = undefined
      throw error
    }
  }
}

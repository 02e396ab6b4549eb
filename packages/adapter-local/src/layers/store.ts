import { access, mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type Descriptor, type Digest, KiwiError } from '@kiwi/core'
import { readIndexFile, writeIndexFile } from './index-file.js'
import type { LayerIndex } from './layer-index.js'
import { makeScratch } from './scratch.js'
import { readLayer, unpackLayer } from './unpack.js'

/** One layer of an image: what it is called unpacked, and how its compressed bytes are had. */
export interface Layer {
  /** Digest of the uncompressed archive; names the layer in the store. */
  readonly diffId: Digest
  /** The compressed blob. */
  readonly descriptor: Descriptor
  /** Its bytes, verified against the descriptor; may be called again. */
  open(signal: AbortSignal): AsyncIterable<Uint8Array>
}

/** Unpacked layers, each once for everyone, by diff id. Several processes may share the folder. */
export interface LayerStore {
  /**
   * Whether trees are in overlayfs' form (whiteouts as devices 0:0, opaque directories marked), ready as lower directories.
   * Only root can make them; else trees hold the plain files and the index knows the rest.
   */
  readonly form: 'overlay' | 'plain'
  /** Where the tree of a layer lies, whether or not it is there. */
  path(diffId: Digest): string
  has(diffId: Digest): Promise<boolean>
  /** The absolute path of the unpacked tree; unpacks it first where it is not there. Nobody may write into it. */
  ensure(layer: Layer, signal: AbortSignal): Promise<string>
  /** What the layer holds; reads the blob (but unpacks nothing) where that is not known yet. */
  index(layer: Layer, signal: AbortSignal): Promise<LayerIndex>
  /** The same where it is known already; nothing is read from the blob. */
  known(layer: Layer, signal: AbortSignal): Promise<LayerIndex | undefined>
  /** Keeps the index of a layer that was just made. */
  keep(diffId: Digest, index: LayerIndex): Promise<void>
  /** Makes a directory in the store's form the tree of a layer: it is moved. On another file system it is left where it is. */
  adopt(diffId: Digest, directory: string): Promise<void>
}

/**
 * The layers under `<directory>/layers`.
 * @example const lowers = await Promise.all(image.layers.map((layer) => store.ensure(layer, signal)))
 */
export function layerStore(directory: string, options: { readonly form?: LayerStore['form'] } = {}): LayerStore {
  const form = options.form ?? (process.getuid?.() === 0 ? 'overlay' : 'plain')
  const folder = join(directory, form === 'overlay' ? 'layers' : 'layers-plain')
  const path = (diffId: Digest) => join(folder, hexOf(diffId))
  const indexFile = (diffId: Digest) => join(directory, 'layer-index', `${hexOf(diffId)}.json`)
  const indices = new Map<Digest, Promise<LayerIndex>>()
  const unpacking = new Map<Digest, Promise<string>>()

  const has = (diffId: Digest) =>
    access(path(diffId)).then(
      () => true,
      () => false,
    )
  const keep = async (diffId: Digest, index: LayerIndex) => {
    remember(indices, diffId, Promise.resolve(index))
    await writeIndexFile(indexFile(diffId), index)
  }
  const adopt = async (diffId: Digest, from: string) => {
    // Programs of images may have set-id bits: nobody else on this machine is to run them.
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await rename(from, path(diffId)).catch(ignoreUnneeded)
  }
  const unpack = async (layer: Layer, signal: AbortSignal) => {
    if (await has(layer.diffId)) return path(layer.diffId)
    await using scratch = await makeScratch(directory)
    const tree = join(scratch.directory, 'tree')
    const { diffId } = layer
    const index = await unpackLayer(layer.open(signal), {
      diffId,
      directory: tree,
      overlay: form === 'overlay',
      signal,
    })
    await keep(diffId, index)
    await adopt(diffId, tree)
    return path(diffId)
  }
  const read = async (layer: Layer, signal: AbortSignal) => {
    const kept = await readIndexFile(indexFile(layer.diffId))
    if (kept !== undefined) return kept
    const { index } = await readLayer(layer.open(signal), layer.diffId)
    await writeIndexFile(indexFile(layer.diffId), index)
    return index
  }
  return {
    form,
    path,
    has,
    keep,
    adopt,
    ensure: (layer, signal) => shared(unpacking, layer.diffId, signal, () => unpack(layer, signal), { forget: true }),
    known: async ({ diffId }) =>
      (await indices.get(diffId)?.catch(() => undefined)) ?? readIndexFile(indexFile(diffId)),
    index: (layer, signal) => shared(indices, layer.diffId, signal, () => read(layer, signal), { forget: false }),
  }
}

/** One at a time for each key; a waiter whose leader was cancelled takes over. */
export async function shared<T>(
  running: Map<Digest, Promise<T>>,
  key: Digest,
  signal: AbortSignal,
  make: () => Promise<T>,
  { forget }: { readonly forget: boolean },
): Promise<T> {
  for (;;) {
    const current = running.get(key)
    if (current === undefined) break
    const result = await current.then(
      (value) => ({ value }),
      () => undefined,
    )
    if (result !== undefined) return result.value
    signal.throwIfAborted()
  }
  const own = make()
  remember(running, key, own)
  return own.then(
    (value) => {
      if (forget) running.delete(key)
      return value
    },
    (error: unknown) => {
      running.delete(key)
      throw error
    },
  )
}

/** So many that no build has to read one twice, and a process that builds for months does not grow. */
const mostRemembered = 256

function remember<T>(table: Map<Digest, T>, key: Digest, value: T): void {
  table.set(key, value)
  const [oldest] = table.keys()
  if (table.size > mostRemembered && oldest !== undefined) table.delete(oldest)
}

/** The digest comes from a manifest: only hex may become part of a path. */
function hexOf(diffId: Digest): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(diffId)?.[1]
  if (hex !== undefined) return hex
  throw new KiwiError('REGISTRY_FAILED', `${diffId} is not a sha256 digest`, { evidence: { diffId } })
}

/** Another one was quicker, or the directory cannot be moved there: the layer is, or will be, unpacked from its blob. */
function ignoreUnneeded(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'EXDEV') throw error
}

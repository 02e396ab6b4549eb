import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import type { Layer, LayerStore, View, ViewEntry } from '../layers/index.js'
import type { SourceEntry, SourceTree } from './source-tree.js'

/** The merged files of a stage or an image. Layers are unpacked only when a file of theirs is read. */
export function viewTree(
  name: string,
  view: View,
  options: { readonly layers: readonly Layer[]; readonly store: LayerStore; readonly signal: AbortSignal },
): SourceTree {
  const { layers, store, signal } = options
  const read = async function* (path: string): AsyncGenerator<Uint8Array> {
    const layer = layers[view.lookup(path)?.layer ?? -1]
    if (layer === undefined) throw new TypeError(`${path} is in no layer of ${name}`)
    yield* createReadStream(join(await store.ensure(layer, signal), path), { highWaterMark: 256 * 1024 })
  }
  return {
    name,
    lookup: (path) => entryOf(view.lookup(path), view),
    children: (path) => view.children(path),
    resolve: (path) => view.resolve(path),
    hash: ({ path }) => {
      const found = view.lookup(path)
      return (found && original(found, view).sha256) ?? hashOf(read(path))
    },
    content:
      ({ path }) =>
      () =>
        read(path),
  }
}

function entryOf(found: ViewEntry | undefined, view: View): SourceEntry | undefined {
  if (found === undefined) return undefined
  const { path, type, mode, uid, gid, link } = found.entry
  const common = { path, mode, uid, gid }
  if (type === 'directory' || type === 'other') return { ...common, type, size: 0 }
  if (type === 'symlink') return { ...common, type, size: 0, link }
  const { size, path: first, attributes } = original(found, view)
  return { ...common, type: 'file', size, file: `${found.layer}:${first}`, attributes }
}

/** The entry that has a hard link's content. */
function original({ entry, layer }: ViewEntry, view: View) {
  return (entry.type === 'hardlink' ? view.layers[layer]?.entries.get(entry.link ?? '') : undefined) ?? entry
}

async function hashOf(content: AsyncIterable<Uint8Array>): Promise<string> {
  const sha256 = createHash('sha256')
  for await (const chunk of content) sha256.update(chunk)
  return sha256.digest('hex')
}

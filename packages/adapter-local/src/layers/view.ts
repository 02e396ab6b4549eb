import { KiwiError } from '@kiwi/core'
import { ancestorsOf, type LayerEntry, type LayerIndex, parentOf } from './layer-index.js'

/** A path as all layers together show it. */
export interface ViewEntry {
  readonly entry: LayerEntry
  /** Index of the layer that brings it, from the lowest. */
  readonly layer: number
}

/** The merged tree of some layers, read from their indices alone. Paths are relative to the root, without slashes at the ends. */
export interface View {
  readonly layers: readonly LayerIndex[]
  /** What lies at exactly that path; symlinks in it are not followed. */
  lookup(path: string): ViewEntry | undefined
  /** Names in a directory, sorted. */
  children(path: string): string[]
  /** The real path: symlinks followed inside the root, the last one too unless told. Parts that do not exist are kept. Throws at a circle. */
  resolve(path: string, options?: { readonly keepLast?: boolean }): string
  /** `etc/passwd` or `etc/group`. */
  text(path: string): string | undefined
}

const mostLinks = 40

export function mergedView(layers: readonly LayerIndex[]): View {
  const below = [...layers].map((layer, index) => ({ layer, index })).reverse()

  const lookup = (path: string): ViewEntry | undefined => {
    let implicit: ViewEntry | undefined
    for (const { layer, index } of below) {
      const entry = layer.entries.get(path)
      if (entry !== undefined && entry.implicit === undefined) {
        return implicit !== undefined && entry.type !== 'directory' ? implicit : { entry, layer: index }
      }
      if (entry !== undefined) implicit ??= { entry, layer: index }
      if (hides(layer, path)) return implicit
    }
    return implicit
  }

  const children = (path: string): string[] => {
    const names = new Set<string>()
    const removed = new Set<string>()
    for (const { layer } of below) {
      const own = layer.entries.get(path)
      if (own !== undefined && own.type !== 'directory') break
      const { present, gone } = namesIn(layer, path)
      for (const name of present) if (!removed.has(name)) names.add(name)
      for (const name of gone) removed.add(name)
      if (layer.opaque.has(path) || hides(layer, path)) break
    }
    return [...names].sort()
  }

  const linkAt = (path: string) => {
    const entry = lookup(path)?.entry
    return entry?.type === 'symlink' ? entry.link : undefined
  }
  const resolve = (path: string, options?: { readonly keepLast?: boolean }) => resolvePath(path, linkAt, options)

  const text = (path: string) => {
    const found = lookup(resolve(path))
    return found && layers[found.layer]?.texts.get(found.entry.path)
  }
  return { layers, lookup, children, resolve, text }
}

/** Follows symlinks part by part; `..` and absolute targets stay inside the root. */
export function resolvePath(
  path: string,
  linkAt: (path: string) => string | undefined,
  { keepLast = false }: { readonly keepLast?: boolean } = {},
): string {
  let links = 0
  const waiting = path.split('/')
  const real: string[] = []
  for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
    if (part === '' || part === '.') continue
    if (part === '..') {
      real.pop()
      continue
    }
    real.push(part)
    const link = linkAt(real.join('/'))
    if (link === undefined || (keepLast && waiting.every((other) => other === ''))) continue
    links += 1
    if (links > mostLinks) throw tooManyLinks(path)
    real.pop()
    if (link.startsWith('/')) real.length = 0
    waiting.unshift(...link.split('/'))
  }
  return real.join('/')
}

function tooManyLinks(path: string): KiwiError {
  return new KiwiError('CONTEXT_INVALID', `/${path} goes through more than ${mostLinks} symbolic links`, {
    evidence: { path },
  })
}

/** Whether the layer keeps what lies lower at that path from being seen. */
function hides(layer: LayerIndex, path: string): boolean {
  if (layer.whiteouts.has(path)) return true
  return ancestorsOf(path).some((above) => {
    if (layer.whiteouts.has(above) || layer.opaque.has(above)) return true
    const entry = layer.entries.get(above)
    return entry !== undefined && entry.type !== 'directory'
  })
}

interface Names {
  readonly present: readonly string[]
  readonly gone: readonly string[]
}
const noNames: Names = { present: [], gone: [] }
const nameTables = new WeakMap<LayerIndex, Map<string, { present: string[]; gone: string[] }>>()

function namesIn(layer: LayerIndex, path: string): Names {
  let table = nameTables.get(layer)
  if (table === undefined) {
    table = new Map()
    nameTables.set(layer, table)
    for (const child of layer.entries.keys()) if (child !== '') row(table, parentOf(child)).present.push(baseOf(child))
    for (const child of layer.whiteouts) row(table, parentOf(child)).gone.push(baseOf(child))
  }
  return table.get(path) ?? noNames
}

function row(table: Map<string, { present: string[]; gone: string[] }>, path: string) {
  const existing = table.get(path)
  if (existing !== undefined) return existing
  const made = { present: [], gone: [] }
  table.set(path, made)
  return made
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

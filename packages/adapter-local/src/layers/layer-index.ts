import { KiwiError } from '@kiwi/core'
import type { TarHeader } from './tar/header.js'

/** One path that a layer brings. */
export interface LayerEntry {
  /** Relative to the root, without slashes at the ends; the root itself is `''`. */
  readonly path: string
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other'
  /** Permission bits with set-id and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes; of a file only. */
  readonly size: number
  /** A symlink's target as it is, or the path that a hard link shares its file with. */
  readonly link?: string | undefined
  /** Of the content of a file, in hex; not known for every layer. */
  readonly sha256?: string | undefined
  /** Extended attributes that an image keeps, in base64. */
  readonly attributes?: Readonly<Record<string, string>> | undefined
  /** A directory that the archive does not list but has files in: what lies below says how it looks. */
  readonly implicit?: true | undefined
}

/** What a layer holds, without its files' content: enough to say what COPY, WORKDIR and USER would find. */
export interface LayerIndex {
  readonly entries: ReadonlyMap<string, LayerEntry>
  /** Paths of lower layers that this one removes. */
  readonly whiteouts: ReadonlySet<string>
  /** Directories that hide what lower layers have in them. */
  readonly opaque: ReadonlySet<string>
  /** `etc/passwd` and `etc/group`, when the layer brings them. */
  readonly texts: ReadonlyMap<string, string>
}

export const keptTexts: ReadonlySet<string> = new Set(['etc/passwd', 'etc/group'])

const whiteoutPrefix = '.wh.'
const opaqueMarker = '.wh..wh..opq'

/** Collects an index from the headers of a layer's archive. */
export interface IndexCollector {
  /** Returns the path that was meant. Throws `REGISTRY_FAILED` for a path that leaves the root. */
  add(header: TarHeader, more?: { readonly sha256?: string | undefined; readonly text?: string | undefined }): string
  finish(): LayerIndex
}

export function indexCollector(): IndexCollector {
  const entries = new Map<string, LayerEntry>()
  const whiteouts = new Set<string>()
  const opaque = new Set<string>()
  const texts = new Map<string, string>()
  return {
    add(header, { sha256, text } = {}) {
      const path = cleanPath(header.name)
      const marker = readMarker(path)
      if (marker?.opaque !== undefined) opaque.add(marker.opaque)
      else if (marker?.removed !== undefined) whiteouts.add(marker.removed)
      else entries.set(path, entryOf(path, header, sha256))
      if (text !== undefined) texts.set(path, text)
      return path
    },
    finish() {
      addParents(entries, [...entries.keys(), ...whiteouts, ...[...opaque].map((path) => `${path}/x`)])
      settleReplaced(entries, whiteouts, opaque)
      return { entries, whiteouts, opaque, texts }
    },
  }
}

/** Whether the path is one of the layer format's markers and no file. */
export function isMarker(path: string): boolean {
  return path.startsWith(whiteoutPrefix, path.lastIndexOf('/') + 1)
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0))
}

/** Rights of programs and users' own; never overlayfs' marks or the labels of a machine. */
export function isKeptAttribute(name: string): boolean {
  return name === 'security.capability' || name.startsWith('user.')
}

/** All directories above the path, the root first. */
export function ancestorsOf(path: string): string[] {
  const names = path.split('/').slice(0, -1)
  return path === '' ? [] : ['', ...names.map((_, index) => names.slice(0, index + 1).join('/'))]
}

function cleanPath(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  if (!parts.includes('..')) return parts.join('/')
  throw leavesRoot(name)
}

function leavesRoot(name: string): KiwiError {
  return new KiwiError('REGISTRY_FAILED', `a layer names ${name}, which leaves its root`, { evidence: { name } })
}

function readMarker(path: string): { opaque?: string; removed?: string } | undefined {
  if (!isMarker(path)) return undefined
  const parent = parentOf(path)
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (name === opaqueMarker) return { opaque: parent }
  // Names with `.wh..wh.` in front are left by an old storage driver and mean nothing.
  if (name.startsWith('.wh..wh.')) return {}
  const removed = name.slice(whiteoutPrefix.length)
  if (/^\.{0,2}$/.test(removed)) throw leavesRoot(path)
  return { removed: parent === '' ? removed : `${parent}/${removed}` }
}

function entryOf(path: string, header: TarHeader, sha256: string | undefined): LayerEntry {
  const { mode, uid, gid, size } = header
  const link = header.type === 'hardlink' ? cleanPath(header.link ?? '') : header.link
  const attributes = Object.entries(header.attributes ?? {}).filter(([name]) => isKeptAttribute(name))
  return {
    path,
    type: typeOf(header),
    mode,
    uid,
    gid,
    size,
    ...(link !== undefined && { link }),
    ...(sha256 !== undefined && { sha256 }),
    ...(attributes.length > 0 && {
      attributes: Object.fromEntries(attributes.map(([name, value]) => [name, value.toString('base64')])),
    }),
  }
}

function typeOf({ type }: TarHeader): LayerEntry['type'] {
  return type === 'character-device' || type === 'block-device' || type === 'fifo' ? 'other' : type
}

function addParents(entries: Map<string, LayerEntry>, paths: readonly string[]): void {
  for (const path of paths) {
    for (let parent = parentOf(path); !entries.has(parent); parent = parentOf(parent)) {
      entries.set(parent, { path: parent, type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, implicit: true })
    }
  }
}

/** A layer that removes a path and brings it too replaces it: a directory then hides what was in the old one. */
function settleReplaced(entries: ReadonlyMap<string, LayerEntry>, whiteouts: Set<string>, opaque: Set<string>): void {
  for (const path of whiteouts) {
    const entry = entries.get(path)
    if (entry === undefined) continue
    whiteouts.delete(path)
    if (entry.type === 'directory') opaque.add(path)
  }
}

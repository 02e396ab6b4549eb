import { createReadStream } from 'node:fs'
import { posix } from 'node:path'
import { KiwiError } from '@kiwi/core'
import type { LayerPart, TarHeader, View } from '../layers/index.js'
import { layArchive } from './archive-plan.js'
import type { CopyFile, CopySource, Where } from './copy-sources.js'
import type { SourceTree } from './source-tree.js'

export interface CopyTarget {
  /** As the instruction says it, expanded. */
  readonly destination: string
  readonly workingDirectory: string
  /** Undefined keeps the source's: 0:0 for the build context. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  readonly mode?: ((mode: number, isDirectory: boolean) => number) | undefined
  readonly mtimeSeconds: number
}

export interface Planned {
  readonly header: Omit<TarHeader, 'name' | 'mtimeSeconds'>
  /** The file of this machine that holds the content, in place of a source. */
  readonly spooled?: string | undefined
  readonly source?: { readonly tree: SourceTree; readonly file: CopyFile } | undefined
  /** The same for all names of one file. */
  readonly file?: string | undefined
}

/**
 * Lays out what a COPY writes where: a directory's content goes into the destination, a file into it when it is a directory or ends in a
 * slash, else under its name. All directories on the way are part of it, as they look below. Rejects with `CONTEXT_INVALID`.
 */
export function planCopy(
  sources: readonly CopySource[],
  target: CopyTarget,
  view: View,
  where: Where,
): Iterable<LayerPart> {
  const planned = new Map<string, Planned>()
  const real = view.resolve(posix.resolve(target.workingDirectory, target.destination).slice(1))
  const intoDirectory = /(?:^|\/)\.{0,2}$/.test(target.destination) || view.lookup(real)?.entry.type === 'directory'
  if (sources.length > 1 && !intoDirectory) throw needsSlash(target, where)
  for (const source of sources) {
    if (source.archive !== undefined) {
      layArchive(planned, source.archive, real, { target, view, where })
      continue
    }
    const place = source.root.type === 'directory' || !intoDirectory ? real : joined(real, source.name)
    addParents(planned, source.root.type === 'directory' ? joined(place, 'x') : place, target, view, where)
    for (const file of source.files) addFile(planned, source, file, place, { target, view, where })
  }
  return partsOf(planned, target)
}

/** A directory with all above it, as an instruction that needs it makes it. */
export function planDirectory(
  path: string,
  target: Pick<CopyTarget, 'owner' | 'mtimeSeconds'>,
  view: View,
  where: Where,
): Iterable<LayerPart> {
  const planned = new Map<string, Planned>()
  addParents(planned, joined(path, 'x'), target, view, where)
  return partsOf(planned, target)
}

export interface Surroundings {
  readonly target: CopyTarget
  readonly view: View
  readonly where: Where
}

export function addParents(
  planned: Map<string, Planned>,
  path: string,
  target: Pick<CopyTarget, 'owner'>,
  view: View,
  where: Where,
): void {
  const parts = path.split('/').slice(0, -1)
  for (const index of parts.keys()) {
    const parent = parts.slice(0, index + 1).join('/')
    const made = planned.get(parent)
    if (made !== undefined && made.header.type !== 'directory') throw inTheWay(parent, 'is no directory', where)
    if (made !== undefined) continue
    const found = view.lookup(parent)?.entry
    if (found !== undefined && found.type !== 'directory') throw inTheWay(parent, 'is no directory', where)
    const { uid, gid } = target.owner ?? { uid: 0, gid: 0 }
    const { mode, ...owner } = found ?? { mode: 0o755, uid, gid }
    planned.set(parent, { header: { type: 'directory', mode, uid: owner.uid, gid: owner.gid, size: 0 } })
  }
}

function addFile(
  planned: Map<string, Planned>,
  { tree }: CopySource,
  file: CopyFile,
  place: string,
  { target, view, where }: Surroundings,
): void {
  const { entry } = file
  const path = file.path === '' ? place : joined(place, file.path)
  const isDirectory = entry.type === 'directory'
  if (isDirectory && file.path === '') {
    dressNew(planned, place, { target, view, where })
    return
  }
  const existing = planned.get(path)?.header.type ?? view.lookup(path)?.entry.type
  if (existing !== undefined && isDirectory !== (existing === 'directory')) {
    throw inTheWay(path, isDirectory ? 'is no directory' : 'is a directory', where)
  }
  const attributes = Object.entries(entry.attributes ?? {}).map(([name, value]) => [name, Buffer.from(value, 'base64')])
  const mode = entry.type === 'symlink' ? 0o777 : (target.mode?.(entry.mode, isDirectory) ?? entry.mode)
  const type = entry.type === 'other' ? 'file' : entry.type
  const { uid, gid } = target.owner ?? entry
  const more = {
    ...(entry.link !== undefined && { link: entry.link }),
    ...(attributes.length > 0 && { attributes: Object.fromEntries(attributes) }),
  }
  planned.set(path, {
    header: { type, mode, uid, gid, size: entry.size, ...more },
    ...(type === 'file' && { source: { tree, file } }),
    ...(entry.file !== undefined && { file: entry.file }),
  })
}

/** What a directory is copied into keeps its own looks, unless it is made by this. */
function dressNew(planned: Map<string, Planned>, place: string, { target, view }: Surroundings): void {
  const made = planned.get(place)
  if (target.mode === undefined || made === undefined || view.lookup(place) !== undefined) return
  planned.set(place, { ...made, header: { ...made.header, mode: target.mode(made.header.mode, true) } })
}

function* partsOf(
  planned: ReadonlyMap<string, Planned>,
  { mtimeSeconds }: Pick<CopyTarget, 'mtimeSeconds'>,
): Generator<LayerPart> {
  const firstNames = new Map<string, string>()
  for (const [name, { header, source, spooled, file }] of [...planned].sort(([one], [other]) =>
    one < other ? -1 : 1,
  )) {
    const first = file === undefined ? undefined : firstNames.get(file)
    if (first !== undefined) {
      yield { header: { ...header, type: 'hardlink', size: 0, attributes: undefined, link: first, name, mtimeSeconds } }
      continue
    }
    if (file !== undefined) firstNames.set(file, name)
    const content = spooled === undefined ? source?.tree.content(source.file.entry) : () => createReadStream(spooled)
    yield { header: { ...header, name, mtimeSeconds }, content, sha256: source?.file.sha256 }
  }
}

export function joined(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`
}

function needsSlash({ destination }: CopyTarget, { line, instruction }: Where): KiwiError {
  return new KiwiError('CONTEXT_INVALID', `line ${line}: several files cannot all become ${destination}`, {
    hint: `End the destination in a slash: ${destination}/`,
    evidence: { destination, line, instruction },
  })
}

function inTheWay(path: string, why: string, { line, instruction }: Where): KiwiError {
  return new KiwiError('CONTEXT_INVALID', `line ${line}: cannot copy over /${path}: it ${why} in the image`, {
    hint: 'Choose another destination, or leave that path out with .dockerignore (node_modules is a frequent one).',
    evidence: { path: `/${path}`, line, instruction },
  })
}

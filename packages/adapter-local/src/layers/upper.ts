import { lutimes, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { KiwiError } from '@kiwi/core'
import { startTool } from '../tools/start.js'
import { isKeptAttribute, isMarker, parentOf } from './layer-index.js'
import type { TarHeader } from './tar/header.js'
import { readTar, type TarEntry } from './tar/read.js'
import type { View } from './view.js'
import type { LayerPart } from './write.js'

/** What an overlay upper directory says, in the words of the layer format. */
export interface UpperDiff {
  /** In the order of a layer; to be read once. */
  readonly parts: AsyncIterable<LayerPart>
  /** Nothing was changed: no layer is needed. */
  readonly empty: boolean
  /**
   * Gives the files the times that the layer records. Resolves to whether the directory then is exactly the unpacked layer; only after
   * `parts` was read to its end.
   */
  settle(): Promise<boolean>
}

/**
 * Reads an upper directory through one `tar`, which sees what Node cannot: extended attributes. A directory that was removed and made
 * again is opaque and nothing else shows it; here it becomes a whiteout of each thing that lies below it.
 * Times later than `latestSeconds` become that; all are whole seconds.
 */
export async function readUpper(
  directory: string,
  options: { readonly below: View; readonly latestSeconds: number; readonly signal: AbortSignal },
): Promise<UpperDiff> {
  const marks = await findMarks(directory)
  const state: DiffState = { ...options, directory, marks, opaque: new Set(), late: [], exact: true }
  return {
    empty: (await readdir(directory)).length === 0,
    parts: partsOf(state),
    settle: async () => {
      for (const path of state.late) await lutimes(join(directory, path), options.latestSeconds, options.latestSeconds)
      return state.exact
    },
  }
}

interface DiffState {
  readonly directory: string
  readonly below: View
  readonly latestSeconds: number
  readonly signal: AbortSignal
  readonly marks: Marks
  /** Directories below which nothing of the lower layers shows. */
  readonly opaque: Set<string>
  /** Paths whose own time is not the recorded one. */
  readonly late: string[]
  exact: boolean
}

const flags = ['--format=posix', '--xattrs', '--xattrs-include=*', '--sort=name', '--numeric-owner', '--no-acls']
/** Only whole seconds of the one time that layers keep. */
const fewerRecords = '--pax-option=delete=atime,delete=ctime,delete=mtime'

async function* partsOf(state: DiffState): AsyncGenerator<LayerPart> {
  const tar = startTool('tar', [...flags, fewerRecords, '-C', state.directory, '-cf', '-', '.'], {
    signal: state.signal,
  })
  tar.stdin.end()
  try {
    for await (const entry of readTar(tar.stdout)) yield* partsOfEntry(state, entry)
    await tar.done
  } finally {
    tar.process.kill('SIGKILL')
  }
}

async function* partsOfEntry(state: DiffState, { content, ...found }: TarEntry): AsyncGenerator<LayerPart> {
  const path = found.name.replace(/^\.(?:\/|$)/, '')
  if (isWhiteout(found)) return
  if (path !== '') {
    if (isMarker(path)) throw impossibleName(path)
    const header = recorded(state, path, found)
    yield header.type === 'file' ? { header, content } : { header }
  }
  if (found.type === 'directory') yield* whiteoutsIn(state, path, found)
}

/** Right after the directory, before anything else in it. */
function* whiteoutsIn(state: DiffState, path: string, found: TarHeader): Generator<LayerPart> {
  const { below, marks } = state
  const own = marks.removed.get(path) ?? []
  const removed = new Set(own.filter((name) => below.lookup(joined(path, name)) !== undefined))
  if (removed.size < own.length || marks.unlisted) state.exact = false
  const opaque = found.attributes?.['trusted.overlay.opaque']?.toString() === 'y' || state.opaque.has(parentOf(path))
  if (opaque && path !== '') {
    state.opaque.add(path)
    state.exact = false
    if (below.lookup(path)?.entry.type === 'directory') {
      const present = marks.present.get(path)
      for (const name of below.children(path)) if (!present?.has(name)) removed.add(name)
    }
  }
  for (const name of [...removed].sort()) yield { header: whiteout(joined(path, `.wh.${name}`), state.latestSeconds) }
}

function recorded(state: DiffState, path: string, found: TarHeader): TarHeader {
  const late = found.mtimeSeconds > state.latestSeconds
  if (late && found.type !== 'hardlink') state.late.push(path)
  const attributes = Object.entries(found.attributes ?? {}).filter(([name]) => isKeptAttribute(name))
  return {
    ...found,
    name: path,
    mtimeSeconds: late ? state.latestSeconds : found.mtimeSeconds,
    attributes: attributes.length > 0 ? Object.fromEntries(attributes) : undefined,
    ...(found.type === 'hardlink' && { link: found.link?.replace(/^\.\//, '') }),
  }
}

function isWhiteout({ type, device }: TarHeader): boolean {
  return type === 'character-device' && device?.major === 0 && device.minor === 0
}

function whiteout(name: string, mtimeSeconds: number): TarHeader {
  return { name, type: 'file', mode: 0, uid: 0, gid: 0, size: 0, mtimeSeconds }
}

interface Marks {
  /** Names removed, by directory. */
  readonly removed: ReadonlyMap<string, readonly string[]>
  /** Names that are there, by directory. */
  readonly present: ReadonlyMap<string, ReadonlySet<string>>
  /** Whether there are files that no layer can hold. */
  readonly unlisted: boolean
}

/** One look at the names alone, so that whiteouts can stand before their siblings. */
async function findMarks(directory: string): Promise<Marks> {
  const removed = new Map<string, string[]>()
  const present = new Map<string, Set<string>>()
  let unlisted = false
  const waiting = ['']
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const names = new Set<string>()
    const gone: string[] = []
    for (const item of await readdir(join(directory, path), { withFileTypes: true })) {
      const child = joined(path, item.name)
      if (item.isSocket()) unlisted = true
      else if (item.isCharacterDevice() && (await stat(join(directory, child))).rdev === 0) gone.push(item.name)
      else names.add(item.name)
      if (item.isDirectory()) waiting.push(child)
    }
    if (gone.length > 0) removed.set(path, gone)
    present.set(path, names)
  }
  return { removed, present, unlisted }
}

function joined(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`
}

function impossibleName(path: string): KiwiError {
  return new KiwiError('BUILD_STEP_FAILED', `the step made /${path}: no image can hold a name that starts with .wh.`, {
    hint: 'Give the file another name, or remove it in the same step.',
    evidence: { path },
  })
}

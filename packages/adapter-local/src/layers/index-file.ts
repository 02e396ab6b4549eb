import { readFile } from 'node:fs/promises'
import { writeAtomically } from './atomic.js'
import type { LayerEntry, LayerIndex } from './layer-index.js'

const version = 1
const types = ['file', 'directory', 'symlink', 'hardlink', 'other'] as const
type Attributes = Readonly<Record<string, string>>
type PlainRow = readonly [string, number, number, number, number, number, string | 0, string | 0, 0 | 1]
type Row = PlainRow | readonly [...PlainRow, Attributes]

interface IndexFile {
  readonly version: number
  readonly entries: readonly Row[]
  readonly whiteouts: readonly string[]
  readonly opaque: readonly string[]
  readonly texts: readonly [string, string][]
}

/** Reads a kept index; undefined when there is none, or none that can be read. */
export async function readIndexFile(file: string): Promise<LayerIndex | undefined> {
  try {
    // Written by this module alone, and checked by its version.
    const value = JSON.parse(await readFile(file, 'utf8')) as IndexFile
    if (value.version !== version) return undefined
    const entries = new Map(value.entries.map((row) => [row[0], entryOf(row)]))
    const { whiteouts, opaque, texts } = value
    return { entries, whiteouts: new Set(whiteouts), opaque: new Set(opaque), texts: new Map(texts) }
  } catch {
    return undefined
  }
}

export async function writeIndexFile(file: string, index: LayerIndex): Promise<void> {
  const entries = [...index.entries.values()].map(rowOf)
  const { whiteouts, opaque, texts } = index
  const value: IndexFile = { version, entries, whiteouts: [...whiteouts], opaque: [...opaque], texts: [...texts] }
  await writeAtomically(file, JSON.stringify(value))
}

function rowOf({ path, type, mode, uid, gid, size, link, sha256, implicit, attributes }: LayerEntry): Row {
  const common = [path, types.indexOf(type), mode, uid, gid, size, link ?? 0, sha256 ?? 0, implicit ? 1 : 0] as const
  return attributes === undefined ? common : [...common, attributes]
}

function entryOf([path, type, mode, uid, gid, size, link, sha256, implicit, attributes]: Row): LayerEntry {
  return {
    path,
    type: types[type] ?? 'other',
    mode,
    uid,
    gid,
    size,
    ...(link !== 0 && { link }),
    ...(sha256 !== 0 && { sha256 }),
    ...(implicit === 1 && { implicit: true }),
    ...(attributes && { attributes }),
  }
}

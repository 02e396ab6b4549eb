import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, readlink, stat, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { cancelled } from './cancelled.js'
import { type Entry, type Listing, listDirectory, type Reading } from './directory-listing.js'
import { copyFile } from './file-copy.js'
import { codeOf, fileError } from './file-error.js'
import type { CommittedFile, WorkTree } from './work-tree.js'

/** How many files are copied at once. */
const atOnce = 16
/** Above this a file is not read a second time to see whether only its line ends differ. */
const longestText = 10_000_000

/**
 * Copies what belongs to the source, and says what was copied: digests are taken of the copy, so they are true of it whatever changes meanwhile.
 * `clean` means the copy is what the commit has.
 */
export async function readDirectory(
  reading: Reading,
  { root, workTree, copy }: { readonly root: string; readonly workTree: WorkTree | undefined; readonly copy: string },
): Promise<{ contentDigest: string; clean: boolean }> {
  const listing = await listDirectory(reading, root, workTree)
  await mkdir(copy)
  const copied = await copyEntries(listing.entries, { from: root, to: copy, signal: reading.git.watch.signal })
  return {
    contentDigest: digestOf(copied),
    clean: workTree?.commit !== undefined && (await isAsCommitted(copied, listing, copy)),
  }
}

interface Copied extends Entry {
  /** SHA-256 of the content, or of a link's target. */
  readonly sha256: string
  readonly bytes: number
}

interface Way {
  readonly from: string
  readonly to: string
  readonly signal: AbortSignal
}

/** In the order of the entries; without those that disappeared meanwhile. */
async function copyEntries(entries: readonly Entry[], way: Way): Promise<Copied[]> {
  const folders = new Set(entries.map(({ path, kind }) => (kind === 'folder' ? path : dirname(path))))
  for (const folder of folders) await mkdir(join(way.to, folder), { recursive: true })
  const copied: (Copied | undefined)[] = []
  const waiting = entries.entries()
  const work = async () => {
    for (const [index, entry] of waiting) copied[index] = await copyEntry(entry, way)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return copied.filter((entry) => entry !== undefined)
}

async function copyEntry(entry: Entry, { from, to, signal }: Way): Promise<Copied | undefined> {
  if (signal.aborted) throw cancelled(signal)
  const [source, copy] = [join(from, entry.path), join(to, entry.path)]
  try {
    if (entry.kind === 'folder') return { ...entry, sha256: '', bytes: 0 }
    if (entry.kind === 'link') return await copyLink(entry, source, copy)
    await copyFile(source, copy)
    return { ...entry, ...(await contentOf(copy)) }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw fileError(error, source)
  }
}

async function copyLink(entry: Entry, source: string, copy: string): Promise<Copied> {
  const target = await readlink(source)
  await symlink(target, copy)
  return { ...entry, sha256: createHash('sha256').update(target).digest('hex'), bytes: Buffer.byteLength(target) }
}

async function contentOf(path: string): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return { sha256: hash.digest('hex'), bytes: (await stat(path)).size }
}

function digestOf(copied: readonly Copied[]): string {
  const hash = createHash('sha256')
  for (const { kind, path, sha256 } of copied) hash.update(`${kind}\0${path}\0${sha256}\0`)
  return `sha256:${hash.digest('hex')}`
}

async function isAsCommitted(copied: readonly Copied[], listing: Listing, copy: string): Promise<boolean> {
  if (!listing.nestedAsCommitted || copied.length !== listing.committed.size) return false
  for (const entry of copied) {
    const file = listing.committed.get(entry.path)
    if (file === undefined || modes[entry.kind] !== file.mode) return false
    if (!(await hasContent(file, entry, join(copy, entry.path)))) return false
  }
  return true
}

const modes = { file: '100644', executable: '100755', link: '120000', folder: '' }

/**
 * Whether the file is what git would make of the committed object: the same bytes, or what a large file's pointer stands for, or the same with
 * other line ends. `git status` would say so too, but runs whatever filters the repository's own configuration names.
 */
async function hasContent({ object }: CommittedFile, { kind, sha256, bytes }: Copied, path: string): Promise<boolean> {
  const algorithm = object.length === 64 ? 'sha256' : 'sha1'
  const isObject = (content: string | Uint8Array) => {
    const size = Buffer.byteLength(content)
    return createHash(algorithm).update(`blob ${size}\0`).update(content).digest('hex') === object
  }
  if (kind === 'link') return isObject(await readlink(path))
  const hash = createHash(algorithm).update(`blob ${bytes}\0`)
  await pipeline(createReadStream(path), hash)
  if (hash.digest('hex') === object) return true
  if (isObject(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${bytes}\n`)) return true
  if (bytes > longestText) return false
  const text = await readFile(path, 'latin1')
  return text.includes('\r\n') && isObject(Buffer.from(text.replaceAll('\r\n', '\n'), 'latin1'))
}

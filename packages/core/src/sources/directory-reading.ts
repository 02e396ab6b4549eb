import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, readlink, stat, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cancelled } from './cancelled.js'
import { type Entry, type Listing, listDirectory, type Reading } from './directory-listing.js'
import { eachAtOnce } from './each-at-once.js'
import { copyFile } from './file-copy.js'
import { codeOf, fileError } from './file-error.js'
import type { CommittedFile, WorkTree } from './work-tree.js'

/** Above this a file is not read a second time to see whether only its line ends differ. */
const longestText = 10_000_000
/** Above this a file is read in pieces. */
const longestAtOnce = 1_000_000

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
  const algorithm = workTree?.commit?.length === 64 ? 'sha256' : 'sha1'
  const { signal } = reading.git.watch
  const copied = await copyEntries(listing.entries, { from: root, to: copy, signal, algorithm })
  return {
    contentDigest: digestOf(copied),
    clean: workTree?.commit !== undefined && (await isAsCommitted(copied, listing, { copy, algorithm })),
  }
}

interface Copied extends Entry {
  /** Of the content, or of a link's target. */
  readonly sha256: string
  readonly bytes: number
  /** The name that git has for these bytes. */
  readonly object: string
}

type Algorithm = 'sha1' | 'sha256'

interface Way {
  readonly from: string
  readonly to: string
  readonly signal: AbortSignal
  /** The repository's. */
  readonly algorithm: Algorithm
}

/** In the order of the entries; without those that disappeared meanwhile. */
async function copyEntries(entries: readonly Entry[], way: Way): Promise<Copied[]> {
  const folders = new Set(entries.map(({ path, kind }) => (kind === 'folder' ? path : dirname(path))))
  for (const folder of folders) await mkdir(join(way.to, folder), { recursive: true })
  const copied: (Copied | undefined)[] = []
  await eachAtOnce(entries, async (entry, index) => {
    copied[index] = await copyEntry(entry, way)
  })
  return copied.filter((entry) => entry !== undefined)
}

async function copyEntry(entry: Entry, { from, to, signal, algorithm }: Way): Promise<Copied | undefined> {
  if (signal.aborted) throw cancelled(signal)
  const [source, copy] = [join(from, entry.path), join(to, entry.path)]
  try {
    if (entry.kind === 'folder') return { ...entry, sha256: '', bytes: 0, object: '' }
    if (entry.kind === 'link') {
      const target = Buffer.from(await readlink(source))
      await symlink(target, copy)
      return { ...entry, ...named(target, algorithm) }
    }
    await copyFile(source, copy)
    return { ...entry, ...(await contentOf(copy, algorithm)) }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw fileError(error, source)
  }
}

async function contentOf(path: string, algorithm: Algorithm): Promise<Omit<Copied, keyof Entry>> {
  const { size: bytes } = await stat(path)
  if (bytes <= longestAtOnce) return named(await readFile(path), algorithm)
  const sha256 = createHash('sha256')
  const object = gitHash(bytes, algorithm)
  for await (const chunk of createReadStream(path)) {
    sha256.update(chunk)
    object.update(chunk)
  }
  return { sha256: sha256.digest('hex'), bytes, object: object.digest('hex') }
}

function named(content: Uint8Array, algorithm: Algorithm): Omit<Copied, keyof Entry> {
  return {
    sha256: createHash('sha256').update(content).digest('hex'),
    bytes: content.length,
    object: gitHash(content.length, algorithm).update(content).digest('hex'),
  }
}

function gitHash(bytes: number, algorithm: Algorithm): Hash {
  return createHash(algorithm).update(`blob ${bytes}\0`)
}

function digestOf(copied: readonly Copied[]): string {
  const hash = createHash('sha256')
  for (const { kind, path, sha256 } of copied) hash.update(`${kind}\0${path}\0${sha256}\0`)
  return `sha256:${hash.digest('hex')}`
}

interface Copy {
  readonly copy: string
  readonly algorithm: Algorithm
}

async function isAsCommitted(copied: readonly Copied[], listing: Listing, where: Copy): Promise<boolean> {
  if (!listing.nestedAsCommitted || copied.length !== listing.committed.size) return false
  for (const entry of copied) {
    const file = listing.committed.get(entry.path)
    if (file === undefined || modes[entry.kind] !== file.mode) return false
    if (entry.object !== file.object && !(await standsFor(file, entry, where))) return false
  }
  return true
}

const modes = { file: '100644', executable: '100755', link: '120000', folder: '' }

/**
 * Whether the file is what git would make of the committed object without having its bytes: what a large file's pointer stands for, or the same
 * with other line ends. `git status` would say so too, but runs whatever filters the repository's own configuration names.
 */
async function standsFor({ object }: CommittedFile, entry: Copied, { copy, algorithm }: Copy): Promise<boolean> {
  const { path, kind, sha256, bytes } = entry
  if (kind === 'link') return false
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${bytes}\n`
  if (named(Buffer.from(pointer), algorithm).object === object) return true
  if (bytes > longestText) return false
  const text = await readFile(join(copy, path), 'latin1')
  if (!text.includes('\r\n')) return false
  return named(Buffer.from(text.replaceAll('\r\n', '\n'), 'latin1'), algorithm).object === object
}

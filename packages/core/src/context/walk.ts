import type { BigIntStats, Dirent } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { IgnoreJudgement, IgnoreRules } from './ignore.js'
import type { ContextFile, ContextOptions } from './options.js'
import type { Prepared } from './overlay.js'
import { invalid } from './within.js'

/** An entry as it is sent. */
export interface WalkedFile extends ContextFile {
  /** 755 for directories and what its owner may run, else 644. */
  readonly mode: number
  /** Target of a symlink, as it is written there. */
  readonly link?: string | undefined
  /** Where the content is: in memory, or on disk as it was when it was listed. */
  readonly content?: Uint8Array | { readonly file: string; readonly status: BigIntStats } | undefined
}

type Walk = Prepared & { readonly rules: IgnoreRules; readonly above: ReadonlySet<string> } & Pick<
    ContextOptions,
    'onSkipped' | 'signal'
  >

/**
 * All that is wanted of a context, sorted, directories before what they hold. An ignored directory is walked only where something
 * in it can be wanted, and is there itself only for what is wanted of it. Holds one directory's names at a time, for each level.
 */
export function walkContext(
  prepared: Prepared,
  rules: IgnoreRules,
  options: Pick<ContextOptions, 'onSkipped' | 'signal'>,
): AsyncGenerator<WalkedFile> {
  const above = new Set([...prepared.always, ...prepared.overlay.keys()].flatMap(parentsOf))
  return walkDirectory(
    { ...prepared, rules, above, onSkipped: options.onSkipped, signal: options.signal },
    '',
    undefined,
  )
}

function parentsOf(path: string): string[] {
  const parts = path.split('/')
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'))
}

async function* walkDirectory(
  walk: Walk,
  directory: string,
  parent: IgnoreJudgement | undefined,
): AsyncGenerator<WalkedFile> {
  const candidates = (await namesIn(walk, directory)).flatMap((name) => candidateOf(walk, directory, name, parent))
  for (let start = 0; start < candidates.length; start += lookedAtTogether) {
    walk.signal.throwIfAborted()
    const some = candidates.slice(start, start + lookedAtTogether)
    const looked = await Promise.all(some.map((candidate) => look(walk, candidate)))
    for (const [index, file] of looked.entries()) {
      const { path, judgement, isShown } = some[index] as Candidate // one answer for each
      if (file !== undefined && isShown) yield file
      if (file?.type !== 'directory') continue
      let shown = isShown
      for await (const inside of walkDirectory(walk, path, judgement)) {
        if (!shown) yield file
        shown = true
        yield inside
      }
    }
  }
}

const lookedAtTogether = 32

interface Candidate {
  readonly path: string
  readonly judgement: IgnoreJudgement
  /** Else it is only the way to something that is wanted. */
  readonly isShown: boolean
}

interface Name {
  readonly text: string
  readonly isUtf8: boolean
  /** Left out for what is not on disk. */
  readonly entry?: Dirent<Buffer> | undefined
}

/** What is on disk and what is laid over it, sorted. */
async function namesIn({ root, overlay, above, signal }: Walk, directory: string): Promise<Name[]> {
  signal.throwIfAborted()
  const names = new Map<string, Name>()
  for (const path of [...overlay.keys(), ...above]) {
    const slash = path.lastIndexOf('/')
    const text = path.slice(slash + 1)
    if (path.slice(0, Math.max(slash, 0)) === directory) names.set(text, { text, isUtf8: true })
  }
  const onDisk = await readdir(join(root, directory), { withFileTypes: true, encoding: 'buffer' }).catch(
    (cause: unknown) => {
      // A directory that is only laid over the tree is not there.
      if (above.has(directory) && isMissing(cause)) return []
      throw unreadable(directory === '' ? '.' : directory, cause)
    },
  )
  const odd: Name[] = []
  for (const entry of onDisk) {
    const text = entry.name.toString()
    if (Buffer.from(text).equals(entry.name)) names.set(text, { text, isUtf8: true, entry })
    else odd.push({ text, isUtf8: false, entry })
  }
  return [...names.values(), ...odd].sort((one, other) => (one.text < other.text ? -1 : 1))
}

function candidateOf(walk: Walk, directory: string, name: Name, parent: IgnoreJudgement | undefined): Candidate[] {
  const path = directory === '' ? name.text : `${directory}/${name.text}`
  const judgement = walk.rules.judgement(path, parent)
  const isSent = walk.always.has(path) || walk.overlay.has(path)
  const isWalked = name.entry === undefined || name.entry.isDirectory()
  const leads = walk.above.has(path) || (isWalked && judgement.ignored && walk.rules.mayWantBelow(path, judgement))
  if (judgement.ignored && !isSent && !leads) return []
  if (!name.isUtf8) throw invalid(`the name of ${JSON.stringify(path)} is not UTF-8 (${hexOf(name)})`, path)
  return [{ path, judgement, isShown: isSent || !judgement.ignored }]
}

function hexOf({ entry }: Name): string {
  return `bytes ${entry?.name.toString('hex')}`
}

async function look({ root, overlay, above, onSkipped }: Walk, { path }: Candidate): Promise<WalkedFile | undefined> {
  const file = join(root, path)
  const status = await lstat(file, { bigint: true }).catch((cause: unknown) => {
    if ((overlay.has(path) || above.has(path)) && isMissing(cause)) return undefined
    throw unreadable(path, cause)
  })
  const bytes = overlay.get(path)
  if (bytes !== undefined) {
    if (status?.isDirectory()) throw invalid(`${path} is a directory: no file can stand in its place`, path)
    return { path, type: 'file', size: bytes.byteLength, mode: 0o644, content: bytes }
  }
  if (status === undefined || status.isDirectory()) return { path, type: 'directory', size: 0, mode: 0o755 }
  if (above.has(path)) throw invalid(`${path} is not a directory: no file can be laid below it`, path)
  if (status.isSymbolicLink()) return { path, type: 'symlink', size: 0, mode: 0o777, link: await targetOf(file, path) }
  if (status.isFile()) {
    const mode = status.mode & 0o100n ? 0o755 : 0o644
    return { path, type: 'file', size: Number(status.size), mode, content: { file, status } }
  }
  onSkipped?.(path, status.isSocket() ? 'socket' : status.isFIFO() ? 'fifo' : 'device')
  return undefined
}

async function targetOf(file: string, path: string): Promise<string> {
  const bytes = await readlink(file, { encoding: 'buffer' }).catch((cause: unknown) => {
    throw unreadable(path, cause)
  })
  const target = bytes.toString()
  if (Buffer.from(target).equals(bytes)) return target
  throw invalid(`the target of the link ${path} is not UTF-8 (bytes ${bytes.toString('hex')})`, path)
}

export function unreadable(path: string, cause: unknown): Error {
  const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  return invalid(`${path} cannot be read (${why})`, path, cause)
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}

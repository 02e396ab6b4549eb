import { createHash } from 'node:crypto'
import { lstat, open, stat } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { KiwiError } from '../errors/kiwi-error.js'
import type { ContextOptions } from './options.js'
import { below, invalid, leadWithin, plainPath } from './within.js'

/** What is sent whatever the rules say, and under which names. Paths are relative to the context. */
export interface Prepared {
  /** Absolute path of the context's directory, free of links. */
  readonly root: string
  /** Text of the rules, and the file they are from (for messages). */
  readonly ignore: { readonly text: string; readonly file: string }
  /** What the Dockerfile is called in the archive. */
  readonly dockerfile: string
  /** On disk, and sent even when ignored. */
  readonly always: ReadonlySet<string>
  /** Sent in place of what is on disk, or in addition to it. */
  readonly overlay: ReadonlyMap<string, Uint8Array>
}

/** A Dockerfile, a `.dockerignore`: more than any real one has. Each is read whole. */
const mostBytes = { dockerfile: 1024 * 1024, ignore: 256 * 1024 }

/** Finds context, Dockerfile and rules. Rejects with `CONTEXT_INVALID`, or `DOCKERFILE_MISSING`. */
export async function prepare(tree: string, options: ContextOptions): Promise<Prepared> {
  const { path: context } = await leadWithin(tree, options.contextPath, 'the build context')
  const root = join(tree, context)
  const status = await stat(root).catch(() => undefined)
  if (!status?.isDirectory()) {
    const why = status === undefined ? 'is not in the repository' : 'is not a directory'
    throw invalid(`the build context ${options.contextPath} ${why}`, options.contextPath)
  }
  const prepared = { always: new Set<string>(), overlay: new Map<string, Uint8Array>() }
  const given = new Map((options.extra ?? []).map(({ path, bytes }) => [plainPath(path, 'the file'), bytes]))
  const dockerfile = await placeDockerfile(tree, context, options.dockerfilePath, given, prepared)
  for (const [path, bytes] of given) prepared.overlay.set(await extraPlace(tree, context, path), bytes)
  const ignore = await placeIgnore(tree, context, options, dockerfile, prepared)
  return { root, ignore, dockerfile: dockerfile.name, ...prepared }
}

type Sent = { readonly always: Set<string>; readonly overlay: Map<string, Uint8Array> }

/** A name inside the context, or `outside` of it: then it is sent under a name of its own, as docker does. */
interface PlacedDockerfile {
  readonly name: string
  readonly outside: boolean
}

async function placeDockerfile(
  tree: string,
  context: string,
  path: string,
  given: Map<string, Uint8Array>,
  sent: Sent,
): Promise<PlacedDockerfile> {
  const plain = plainPath(path, 'the Dockerfile')
  const bytes = given.get(plain)
  given.delete(plain)
  const parent = await leadWithin(tree, posix.dirname(plain), 'the Dockerfile')
  const name = below(context, posix.join(parent.path, posix.basename(plain)))
  if (bytes !== undefined) {
    const isUsable = name !== undefined && (await isDirectoryOrMissing(join(tree, parent.path)))
    const placed = isUsable ? { name, outside: false } : outsideName(plain)
    sent.overlay.set(placed.name, bytes)
    return placed
  }
  const led = await leadWithin(tree, plain, 'the Dockerfile')
  await mustBeDockerfile(join(tree, led.path), plain)
  if (name !== undefined && sendWithLinks(context, led, sent)) return { name, outside: false }
  const placed = outsideName(plain)
  sent.overlay.set(placed.name, await readSmall(join(tree, led.path), plain, mostBytes.dockerfile))
  return placed
}

function outsideName(path: string): PlacedDockerfile {
  return { name: `.dockerfile.${createHash('sha256').update(path).digest('hex').slice(0, 20)}`, outside: true }
}

/** Marks a file and the links that lead to it. False when one of them lies outside the context. */
function sendWithLinks(context: string, led: { readonly path: string; readonly links: readonly string[] }, sent: Sent) {
  const parts = [...led.links, led.path].map((path) => below(context, path))
  if (parts.includes(undefined)) return false
  for (const part of parts) if (part !== undefined) sent.always.add(part)
  return true
}

async function mustBeDockerfile(file: string, path: string): Promise<void> {
  const status = await stat(file).catch(() => undefined)
  if (status?.isFile()) return
  throw new KiwiError('DOCKERFILE_MISSING', `${path} is ${status === undefined ? 'not there' : 'not a file'}`, {
    evidence: { path },
  })
}

async function extraPlace(tree: string, context: string, path: string): Promise<string> {
  const parent = await leadWithin(tree, posix.dirname(path), 'the file')
  const name = below(context, posix.join(parent.path, posix.basename(path)))
  if (name === undefined) throw invalid(`the file ${path} is not in the build context`, path)
  return name
}

/** The wizard's text, else the Dockerfile's own, else the context's. What the receiver would read itself is made to say the same. */
async function placeIgnore(
  tree: string,
  context: string,
  options: ContextOptions,
  dockerfile: PlacedDockerfile,
  sent: Sent,
): Promise<{ readonly text: string; readonly file: string }> {
  const own = `${plainPath(options.dockerfilePath, 'the Dockerfile')}.dockerignore`
  const ownFile = await ignoreFile(tree, own)
  const contextFile = await ignoreFile(tree, posix.join(context, '.dockerignore'))
  const ownName = dockerfile.outside ? undefined : `${dockerfile.name}.dockerignore`
  const read = async (file: string) => (await readSmall(join(tree, file), file, mostBytes.ignore)).toString()
  for (const [name, led] of [
    [ownName, ownFile],
    ['.dockerignore', contextFile],
  ] as const) {
    if (name === undefined || led === undefined || sent.overlay.has(name) || sendWithLinks(context, led, sent)) continue
    sent.overlay.set(name, Buffer.from(await read(led.path)))
  }
  const found = ownFile ?? contextFile
  const file = ownFile ? own : '.dockerignore'
  const text = options.ignore ?? (found ? await read(found.path) : undefined)
  if (dockerfile.outside) {
    sent.overlay.set('.dockerignore', Buffer.from(`${text ?? '.dockerignore'}\n${dockerfile.name}\n`))
  } else if (options.ignore !== undefined) {
    sent.overlay.set(ownFile && ownName ? ownName : '.dockerignore', Buffer.from(options.ignore))
  }
  return { text: text ?? '', file }
}

async function ignoreFile(tree: string, path: string) {
  const led = await leadWithin(tree, path, 'the file')
  const status = await stat(join(tree, led.path)).catch(() => undefined)
  if (status !== undefined && !status.isFile()) throw invalid(`${path} is not a file`, path)
  return status && led
}

async function readSmall(file: string, path: string, most: number): Promise<Buffer> {
  try {
    await using handle = await open(file)
    const { size } = await handle.stat()
    if (size > most) throw invalid(`${path} has ${size} bytes; ${most} are allowed`, path)
    return await handle.readFile()
  } catch (cause) {
    if (KiwiError.is(cause)) throw cause
    throw invalid(`${path} cannot be read: ${cause instanceof Error ? cause.message : cause}`, path, cause)
  }
}

async function isDirectoryOrMissing(path: string): Promise<boolean> {
  const status = await lstat(path).catch(() => undefined)
  return status === undefined || status.isDirectory()
}

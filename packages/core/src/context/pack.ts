import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import type { Digest } from '../contracts/v1/image.js'
import { archiveOf } from './archive.js'
import { readIgnore } from './ignore.js'
import type { ContextFile, ContextOptions, PackOptions } from './options.js'
import { type Prepared, prepare } from './overlay.js'
import { type WalkedFile, walkContext } from './walk.js'
import { invalid } from './within.js'

/**
 * The build context as a tar archive, as docker sends it: rules of `<Dockerfile>.dockerignore`, else of `.dockerignore`; both and the
 * Dockerfile always sent; symlinks as links, wherever they lead. The same files give the same bytes: sorted, one time, owner 0:0,
 * modes 644 and 755. Read one file at a time, as fast as it is taken; leaving the loop or the signal ends it and closes all files.
 * Rejects with `CONTEXT_INVALID` or `DOCKERFILE_MISSING`; with the signal's reason when that fires.
 * @example for await (const chunk of packContext({ directory, contextPath: '.', dockerfilePath: 'Dockerfile', signal })) socket.write(chunk)
 */
export async function* packContext(options: PackOptions): AsyncGenerator<Uint8Array> {
  const prepared = await open(options)
  yield* archiveOf(walk(prepared, options), { mtimeSeconds: options.mtimeSeconds ?? 0, signal: options.signal })
}

/** What `packContext` would send, in that order, without reading any of it. */
export async function* contextFiles(options: ContextOptions): AsyncGenerator<ContextFile> {
  const prepared = await open(options)
  for await (const { path, type, size } of walk(prepared, options)) yield { path, type, size }
}

/** A digest of all that a build can see of its context: paths, modes, links and content, no times and no owners. Reads everything once. */
export async function contextDigest(options: ContextOptions): Promise<Digest> {
  const hash = createHash('sha256')
  for await (const chunk of packContext(options)) hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}

/**
 * What the Dockerfile is called in the archive: its path in the context, or (as docker does) a name of its own where it lies outside
 * or a link leads to it from there.
 */
export async function contextDockerfile(options: ContextOptions): Promise<string> {
  return (await open(options)).dockerfile
}

async function open(options: ContextOptions): Promise<Prepared> {
  options.signal.throwIfAborted()
  const tree = await realpath(options.directory).catch((cause: unknown) => {
    throw invalid(`the source tree ${options.directory} is not there`, options.directory, cause)
  })
  return prepare(tree, options)
}

function walk(prepared: Prepared, options: ContextOptions): AsyncGenerator<WalkedFile> {
  return walkContext(prepared, readIgnore(prepared.ignore.text, prepared.ignore.file), options)
}

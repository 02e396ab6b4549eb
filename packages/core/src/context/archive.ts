import type { Header, Pack } from 'tar-stream'
import { contentOf } from './content.js'
import type { WalkedFile } from './walk.js'

/** Writes entries as a tar archive, no faster than it is read. */
export async function* archiveOf(
  files: AsyncIterable<WalkedFile>,
  options: { readonly mtimeSeconds: number; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const { signal } = options
  const { pack } = await import('tar-stream')
  const archive = pack()
  let failure: { readonly error: unknown } | undefined
  const stop = (error: unknown) => {
    failure ??= { error }
    archive.destroy(error instanceof Error ? error : new Error(String(error)))
  }
  const onAbort = () => stop(signal.reason)
  archive.on('error', () => undefined) // it is in `failure`
  signal.addEventListener('abort', onAbort, { once: true })
  const flow = flowOf(archive)
  const fed = feed(archive, files, { mtimeSeconds: options.mtimeSeconds, room: flow.room }).catch(stop)
  try {
    for await (const chunk of archive as AsyncIterable<Uint8Array>) {
      yield chunk
      flow.taken()
    }
  } catch (error) {
    failure ??= { error }
  } finally {
    signal.removeEventListener('abort', onAbort)
    archive.destroy()
    flow.taken()
    await fed
  }
  if (failure) throw failure.error
}

/** tar-stream holds back the content of files, not the headers of what has none: whoever writes them has to wait for room. */
function flowOf(archive: Pack) {
  // A static method, which every subclass inherits; the types do not say so of an instance.
  const { isBackpressured } = archive.constructor as unknown as { isBackpressured(stream: Pack): boolean }
  let next = Promise.withResolvers<void>()
  archive.on('close', () => next.resolve())
  return {
    taken() {
      next.resolve()
      next = Promise.withResolvers()
    },
    async room() {
      while (!archive.destroying && isBackpressured(archive)) await next.promise
    },
  }
}

async function feed(
  archive: Pack,
  files: AsyncIterable<WalkedFile>,
  options: { readonly mtimeSeconds: number; readonly room: () => Promise<void> },
): Promise<void> {
  const firstNames = new Map<string, { readonly path: string; left: number }>()
  for await (const file of files) {
    await options.room()
    if (archive.destroying) return
    const common = headerOf(file, options.mtimeSeconds)
    const original = firstNameOf(file, firstNames)
    if (original !== undefined) await put(archive, { ...common, type: 'link', linkname: original, size: 0 }, [])
    else await put(archive, common, contentOf(file))
  }
  archive.finalize()
}

function headerOf({ path, type, size, mode, link }: WalkedFile, mtimeSeconds: number): HeaderOf {
  const name = type === 'directory' ? `${path}/` : path
  const times = mtimeSeconds > mostSeconds ? { pax: { mtime: String(mtimeSeconds) } } : {}
  const mtime = new Date(Math.min(mtimeSeconds, mostSeconds) * 1000)
  return { name, type, size, mode, mtime, uid: 0, gid: 0, ...(link === undefined ? {} : { linkname: link }), ...times }
}

type HeaderOf = Partial<Header> & Pick<Header, 'name' | 'size'>

/** tar-stream writes times in 31 bits. */
const mostSeconds = 0x7fffffff

/** Names of one file after the first become hard links to it. Forgotten when all its names were seen. */
function firstNameOf(
  { path, content }: WalkedFile,
  firstNames: Map<string, { readonly path: string; left: number }>,
): string | undefined {
  if (content === undefined || content instanceof Uint8Array || content.status.nlink < 2n) return undefined
  const { dev, ino, nlink } = content.status
  const key = `${dev}:${ino}`
  const first = firstNames.get(key)
  if (first === undefined) firstNames.set(key, { path, left: Number(nlink) - 1 })
  else {
    first.left -= 1
    if (first.left === 0) firstNames.delete(key)
  }
  return first?.path
}

async function put(
  archive: Pack,
  header: HeaderOf,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const written = Promise.withResolvers<void>()
  written.promise.catch(() => undefined) // awaited below, unless the content fails first
  const entry = archive.entry(header, (error) => (error ? written.reject(error) : written.resolve()))
  entry.on('error', () => undefined)
  for await (const chunk of content) {
    if (entry.write(chunk)) continue
    const drained = Promise.withResolvers<void>()
    entry.once('drain', () => drained.resolve())
    await Promise.race([drained.promise, written.promise])
  }
  if (header.type === 'file') entry.end(undefined)
  await written.promise
}

import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { KiwiError } from '@kiwi/core'
import { decompressed } from '../layers/decompress.js'
import type { TarHeader } from '../layers/tar/header.js'
import { readTar, type TarEntry } from '../layers/tar/read.js'
import { startTool, writeTo } from '../tools/start.js'
import type { CopySource, Where } from './copy-sources.js'

/** One entry of an archive that ADD unpacks. */
export interface ArchivedFile {
  readonly header: TarHeader
  /** The file that holds its content, for a file. */
  readonly spooled?: string | undefined
}

const mostEntries = 1_000_000
const mostBytes = 64 * 1024 ** 3

/**
 * What is in an archive, told by its content and not by its name: tar, plain or packed with gzip, bzip2, xz or zstd; its files' content is
 * written into `folder`. Undefined where it is none. Rejects with `CONTEXT_INVALID` for one that is broken later on or too large, and with
 * `TOOL_MISSING` where the machine cannot unpack it.
 */
export async function openArchive(
  { root, tree }: CopySource,
  folder: string,
  { where, signal }: { readonly where: Where; readonly signal: AbortSignal },
): Promise<ArchivedFile[] | undefined> {
  if (root.type !== 'file') return undefined
  const content = tree.content(root)
  const chunks = content instanceof Uint8Array ? once(content) : content()
  const found: ArchivedFile[] = []
  let bytes = 0
  try {
    for await (const entry of readTar(await unpacked(chunks, signal))) {
      bytes += entry.size
      if (found.length >= mostEntries || bytes > mostBytes) throw broken(root.path, 'is too large', where)
      found.push(await spool(entry, join(folder, String(found.length))))
    }
  } catch (error) {
    signal.throwIfAborted()
    if (KiwiError.is(error)) throw error
    if (found.length === 0) return undefined
    throw broken(root.path, `is broken: ${KiwiError.from(error).message}`, where)
  }
  return found.length === 0 ? undefined : found
}

async function spool({ content, ...header }: TarEntry, file: string): Promise<ArchivedFile> {
  if (header.type !== 'file') return { header }
  await pipeline(content(), createWriteStream(file))
  return { header, spooled: file }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

const packers = [
  ['bzip2', '425a68'],
  ['xz', 'fd377a585a00'],
] as const

async function unpacked(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const source = chunks[Symbol.asyncIterator]()
  const first = await source.next()
  if (first.done === true) return once(new Uint8Array())
  const whole = async function* () {
    yield first.value
    yield* { [Symbol.asyncIterator]: () => source }
  }
  const start = Buffer.from(first.value.subarray(0, 8)).toString('hex')
  const packer = packers.find(([, mark]) => start.startsWith(mark))
  return packer === undefined ? decompressed(whole()) : throughTool(packer[0], whole(), signal)
}

/** Node packs neither: the programs that everyone has do. */
async function* throughTool(
  tool: (typeof packers)[number][0],
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const running = startTool(tool, ['-dc'], { signal })
  const feed = async () => {
    for await (const chunk of content) await writeTo(running.stdin, chunk)
    running.stdin.end()
  }
  const fed = feed()
  fed.catch(() => running.process.kill('SIGKILL'))
  try {
    yield* running.stdout
    await fed
    await running.done
  } finally {
    running.process.kill('SIGKILL')
  }
}

function broken(path: string, why: string, { line, instruction }: Where): KiwiError {
  return new KiwiError('CONTEXT_INVALID', `line ${line}: the archive ${path} ${why}`, {
    hint: 'Check the archive, or COPY it and unpack it with RUN.',
    evidence: { path, line, instruction },
  })
}

import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { KiwiError } from '@kiwi/core'
import { startTool, writeTo } from '../tools/start.js'
import { decompressed } from './decompress.js'
import { ancestorsOf, indexCollector, keptTexts, type LayerIndex, parentOf } from './layer-index.js'
import type { TarHeader } from './tar/header.js'
import { readTar } from './tar/read.js'
import { encodeHeader, endOfTar } from './tar/write.js'

const largestTextBytes = 1024 * 1024

/** Reads a compressed layer to its end: what is in it. Rejects with `DIGEST_MISMATCH` when the archive is not `diffId`. */
export async function readLayer(
  content: AsyncIterable<Uint8Array>,
  diffId: string,
  see?: (chunk: Uint8Array) => Promise<void>,
): Promise<{ index: LayerIndex; directories: ReadonlyMap<string, TarHeader> }> {
  const collector = indexCollector()
  const directories = new Map<string, TarHeader>()
  for await (const entry of readTar(checked(decompressed(content), diffId, see))) {
    const { content: read, ...header } = entry
    const wanted = entry.type === 'file' && keptTexts.has(entry.name.replace(/^\.?\/+/, ''))
    const text = wanted && entry.size <= largestTextBytes ? await textOf(read()) : undefined
    const path = collector.add(header, { text })
    if (header.type === 'directory') directories.set(path, header)
  }
  return { index: collector.finish(), directories }
}

/**
 * Unpacks a compressed layer into an empty directory in the form that overlayfs takes as a lower directory: whiteouts are character
 * devices 0:0, opaque directories carry `trusted.overlay.opaque`. Without root (`overlay: false`) the marks are left to the index.
 */
export async function unpackLayer(
  content: AsyncIterable<Uint8Array>,
  options: {
    readonly diffId: string
    readonly directory: string
    readonly overlay: boolean
    readonly signal: AbortSignal
  },
): Promise<LayerIndex> {
  const { directory, overlay, signal } = options
  await mkdir(directory, { mode: 0o755 })
  const flags = overlay ? ['--same-owner', ...attributeFlags] : ['--no-same-owner']
  const tar = startTool('tar', [...extractFlags, ...flags, '--exclude=.wh.*', '-C', directory], { signal })
  const { index, directories } = await readLayer(content, options.diffId, (chunk) => writeTo(tar.stdin, chunk)).catch(
    async (error: unknown) => {
      tar.process.kill('SIGKILL')
      throw await tar.done.then(
        () => error,
        (ended: unknown) => (KiwiError.is(ended) && ended.code === 'DISK_FULL' ? ended : error),
      )
    },
  )
  tar.stdin.end()
  await tar.done.catch((error: unknown) => {
    throw notUnpacked(options.diffId, error)
  })
  if (overlay) await markRemoved(directory, index, directories, signal)
  return index
}

/** GNU tar refuses what would lead out of the directory, and what contradicts itself: the layer is at fault, not this machine. */
function notUnpacked(diffId: string, error: unknown): unknown {
  if (!KiwiError.is(error) || error.code !== 'INTERNAL') return error
  return new KiwiError('REGISTRY_FAILED', `the layer ${diffId} cannot be unpacked`, {
    cause: error,
    hint: 'The image names files that cannot be, or that would lie outside of it: build it anew, or take another.',
    evidence: { diffId },
  })
}

const extractFlags = ['-x', '-f', '-', '--numeric-owner', '-p', '--delay-directory-restore', '--warning=no-timestamp']
/** Not `trusted.*`: a layer must not be able to place overlayfs' own marks. */
const attributeFlags = ['--xattrs', '--xattrs-include=user.*', '--xattrs-include=security.capability']

async function* checked(
  chunks: AsyncIterable<Uint8Array>,
  diffId: string,
  see?: (chunk: Uint8Array) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) {
    hash.update(chunk)
    await see?.(chunk)
    yield chunk
  }
  const found = `sha256:${hash.digest('hex')}`
  if (found === diffId) return
  throw new KiwiError('DIGEST_MISMATCH', `the layer unpacks to ${found}, the image says ${diffId}`, {
    evidence: { expected: diffId, found },
  })
}

async function textOf(content: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

/** A second, small archive brings the devices and attributes; directories are listed again so that tar gives them their times back. */
async function markRemoved(
  directory: string,
  index: LayerIndex,
  directories: ReadonlyMap<string, TarHeader>,
  signal: AbortSignal,
): Promise<void> {
  const removed = [...index.whiteouts]
  if (removed.length + index.opaque.size === 0) return
  const touched = new Set([...removed.map(parentOf), ...index.opaque])
  const listed = new Set([...touched].flatMap((path) => [...ancestorsOf(path), path]))
  const parents = [...listed].sort().map((path) => markedDirectory(path, directories.get(path), index.opaque.has(path)))
  const tar = startTool(
    'tar',
    [...extractFlags, '--same-owner', '--xattrs', '--xattrs-include=trusted.overlay.opaque', '-C', directory],
    {
      signal,
    },
  )
  for (const header of [...parents, ...removed.map(whiteout)]) await writeTo(tar.stdin, encodeHeader(header))
  tar.stdin.end(endOfTar)
  await tar.done
}

function markedDirectory(path: string, header: TarHeader | undefined, opaque: boolean): TarHeader {
  return {
    ...(header ?? { type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtimeSeconds: 0 }),
    name: path === '' ? '.' : path,
    attributes: opaque ? { 'trusted.overlay.opaque': Buffer.from('y') } : undefined,
  }
}

function whiteout(path: string): TarHeader {
  return {
    name: path,
    type: 'character-device',
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    mtimeSeconds: 0,
    device: { major: 0, minor: 0 },
  }
}

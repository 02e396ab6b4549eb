import { lstat, mkdir, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { archiveOf } from '../context/archive.js'
import type { WalkedFile } from '../context/walk.js'
import type { Context } from '../contracts/v1/context.js'
import type { Descriptor, ImageSource } from '../contracts/v1/image.js'
import type { Json } from '../contracts/v1/json.js'
import { isLeftoverPart, openPart, partName, syncDirectory } from './durable.js'
import { ociLayout } from './layout.js'
import { tagAnnotation } from './layout-index.js'
import { mediaTypes } from './manifest.js'
import { pipe } from './pipe.js'
import type { PipeCompression } from './pipe-compressed.js'

/**
 * A tar wants to know the size of what it takes, and its order is to be the same every time: the image is first laid out in a folder
 * beside it.
 */
export async function writeArchive(
  path: string,
  source: ImageSource,
  options: { readonly tag?: string | undefined; readonly compression?: PipeCompression | undefined },
  context: Context,
): Promise<Descriptor> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true })
  await removeLeftovers(folder)
  const directory = join(folder, partName())
  try {
    const layout = ociLayout(directory)
    const root = await pipe(source, layout.sink, { compression: options.compression }, context)
    await pack(layout.directory, root, options.tag, path, context.signal)
    return root
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** What killed processes were making here. */
async function removeLeftovers(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter(isLeftoverPart)
  await Promise.all(names.map((name) => rm(join(folder, name), { recursive: true, force: true })))
}

async function pack(
  directory: string,
  root: Descriptor,
  tag: string | undefined,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  await using part = await openPart(dirname(path), async () => undefined)
  for await (const chunk of archiveOf(filesOf(directory, root, tag), { mtimeSeconds: 0, signal }))
    await part.write(chunk)
  await part.rename(path)
  await syncDirectory(dirname(path))
}

/** The folders, the blobs by name, then what names them. */
async function* filesOf(directory: string, root: Descriptor, tag: string | undefined): AsyncGenerator<WalkedFile> {
  for (const path of ['blobs', 'blobs/sha256']) yield { path, type: 'directory', size: 0, mode: 0o755 }
  for (const name of (await readdir(join(directory, 'blobs', 'sha256'))).toSorted()) {
    const file = join(directory, 'blobs', 'sha256', name)
    const status = await lstat(file, { bigint: true })
    yield {
      path: `blobs/sha256/${name}`,
      type: 'file',
      size: Number(status.size),
      mode: 0o644,
      content: { file, status },
    }
  }
  yield text('index.json', indexOf(root, tag))
  yield text('oci-layout', { imageLayoutVersion: '1.0.0' })
}

function indexOf({ mediaType, digest, size }: Descriptor, tag: string | undefined): Json {
  const annotations = tag === undefined ? {} : { annotations: { [tagAnnotation]: tag } }
  return { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [{ mediaType, digest, size, ...annotations }] }
}

function text(path: string, value: Json): WalkedFile {
  const content = Buffer.from(JSON.stringify(value))
  return { path, type: 'file', size: content.byteLength, mode: 0o644, content }
}

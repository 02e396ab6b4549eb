import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import {
  type Context,
  type Descriptor,
  digestOf,
  type ImageSink,
  type ImageSource,
  isIndex,
  mediaTypes,
  parseIndex,
  parseManifest,
} from '@kiwi/core'
import { extract, type Header, pack } from 'tar-stream'
import { collect } from './image.js'

/** Path to type, mode, owner, and hash or target. */
export type Files = Readonly<Record<string, string>>

const longName = `app/${'n'.repeat(120)}`
export const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'

/** An image whose second layer deletes, replaces and adds; nobody has seen it before. Layers are plain tars. Below `app` it has `files`. */
export async function writeFilesImage(sink: ImageSink, context: Context) {
  const mark = randomBytes(8).toString('hex')
  const first = await layerOf(
    { name: 'app/', type: 'directory', mode: 0o755 },
    { name: 'app/deleted', content: 'gone' },
    { name: 'app/folder/', type: 'directory', mode: 0o750 },
    { name: 'app/folder/old', content: 'gone' },
    { name: 'app/kept', content: `kept ${mark}` },
    { name: 'app/hard', type: 'link', linkname: 'app/kept' },
    { name: 'app/symbolic', type: 'symlink', linkname: 'kept', mode: 0o777 },
    { name: 'app/set', content: 'set', mode: 0o4755, uid: 1000, gid: 1001 },
    { name: longName, content: 'long' },
  )
  const second = await layerOf(
    { name: 'app/', type: 'directory', mode: 0o755 },
    { name: 'app/.wh.deleted', content: '' },
    { name: 'app/folder/', type: 'directory', mode: 0o750 },
    { name: 'app/folder/.wh..wh..opq', content: '' },
    { name: 'app/folder/new', content: `new ${mark}` },
  )
  const put = (mediaType: string, bytes: Uint8Array) =>
    sink.blob(
      {
        mediaType,
        expected: { digest: digestOf(bytes), size: bytes.byteLength },
        async *open() {
          yield bytes
        },
      },
      context,
    )
  const layers = [await put(mediaTypes.layer, first), await put(mediaTypes.layer, second)]
  const manifestFor = async (of: string) => {
    const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) }
    const config = await put(mediaTypes.config, json({ architecture: of, os: 'linux', config: { Cmd: ['x'] }, rootfs }))
    const bytes = json({ schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers })
    return sink.manifest(bytes, { mediaType: mediaTypes.manifest, tag: of }, context)
  }
  const manifests = []
  for (const of of ['amd64', 'arm64'])
    manifests.push({ ...(await manifestFor(of)), platform: { os: 'linux', architecture: of } })
  const image = manifests.find(({ platform }) => platform.architecture === architecture) ?? manifests[0]
  const bytes = json({ schemaVersion: 2, mediaType: mediaTypes.index, manifests })
  const index = await sink.manifest(bytes, { mediaType: mediaTypes.index, tag: 'index' }, context)
  const files: Files = {
    app: 'directory 755 0:0',
    'app/folder': 'directory 750 0:0',
    'app/folder/new': `file 644 0:0 ${hashOf(`new ${mark}`)}`,
    'app/hard': `file 644 0:0 ${hashOf(`kept ${mark}`)}`,
    'app/kept': `file 644 0:0 ${hashOf(`kept ${mark}`)}`,
    [longName]: `file 644 0:0 ${hashOf('long')}`,
    'app/set': `file 4755 1000:1001 ${hashOf('set')}`,
    'app/symbolic': 'symlink kept',
  }
  return { image: image as Descriptor, index, files }
}

/** What is below `app` once the layers lie over each other: of an index, those for this machine. */
export async function filesOf(source: ImageSource, signal: AbortSignal): Promise<Files> {
  const root = await source.manifest(source.root, signal)
  const fitting = isIndex(source.root.mediaType) ? parseIndex(root).find(isForHere) : undefined
  const manifest = fitting ? await source.manifest(fitting, signal) : root
  const files: Record<string, string> = {}
  for (const layer of parseManifest(manifest).layers) {
    const blob = await collect(source.blob(layer, { offsetBytes: 0, signal }))
    lay(files, await entriesIn(plain(layer, blob)))
  }
  return sorted(files)
}

/** The same of a tar that another program made of the whole tree. */
export async function filesInTar(path: string): Promise<Files> {
  const files: Record<string, string> = {}
  lay(files, await entriesIn(await collect(createReadStream(path))))
  return sorted(files)
}

interface Entry {
  readonly name: string
  readonly shown: string
  readonly target?: string | undefined
}

function lay(files: Record<string, string>, entries: readonly Entry[]): void {
  for (const { name, shown, target } of entries) {
    const [, folder = '', removed] = /^(.*\/)\.wh\.(.*)$/.exec(name) ?? []
    const gone = removed === '.wh..opq' ? folder : `${folder}${removed}`
    if (removed === undefined) files[name] = target === undefined ? shown : (files[target] ?? `link to ${target}`)
    else for (const path of Object.keys(files)) if (path === gone || path.startsWith(slashed(gone))) delete files[path]
  }
}

async function entriesIn(tar: Uint8Array): Promise<Entry[]> {
  const archive = extract()
  archive.end(tar)
  const entries: Entry[] = []
  for await (const entry of archive) {
    const { header } = entry
    const name = header.name.replace(/^\.?\//, '').replace(/\/$/, '')
    const content = await collect(entry as AsyncIterable<Uint8Array>)
    if (name !== 'app' && !name.startsWith('app/')) continue
    const target = header.type === 'link' ? header.linkname?.replace(/^\.?\//, '') : undefined
    entries.push({ name, shown: shown(header, content), target })
  }
  return entries
}

function shown({ type, mode = 0, uid, gid, linkname }: Header, content: Buffer): string {
  if (type === 'symlink') return `symlink ${linkname}`
  const owned = `${type} ${(mode & 0o7777).toString(8)} ${uid}:${gid}`
  return type === 'file' ? `${owned} ${hashOf(content)}` : owned
}

async function layerOf(
  ...entries: readonly (Partial<Header> & { readonly name: string; readonly content?: string })[]
): Promise<Buffer> {
  const archive = pack()
  for (const { content, ...header } of entries) {
    const whole = { mode: 0o644, uid: 0, gid: 0, mtime: new Date(1_700_000_000_000), ...header }
    if (content === undefined) archive.entry(whole)
    else archive.entry(whole, content)
  }
  archive.finalize()
  return collect(archive as AsyncIterable<Uint8Array>)
}

function plain({ mediaType }: Descriptor, blob: Buffer): Buffer {
  if (mediaType.endsWith('gzip')) return gunzipSync(blob)
  return mediaType.endsWith('zstd') ? zstdDecompressSync(blob) : blob
}

function isForHere(descriptor: Descriptor & { readonly platform?: unknown }): boolean {
  return JSON.stringify(descriptor.platform ?? {}).includes(`"${architecture}"`)
}

function sorted(files: Files): Files {
  return Object.fromEntries(Object.entries(files).sort(([one], [other]) => (one < other ? -1 : 1)))
}

function slashed(path: string): string {
  return path.endsWith('/') ? path : `${path}/`
}

function hashOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16)
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

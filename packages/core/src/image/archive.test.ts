import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Descriptor } from '../contracts/v1/image.js'
import { testContext } from '../testing/context.js'
import { ociArchive } from './archive.js'
import { digestOf } from './digest.js'
import { type OciLayout, ociLayout } from './layout.js'
import { mediaTypes, parseManifest } from './manifest.js'
import { pipe } from './pipe.js'

const tagAnnotation = 'org.opencontainers.image.ref.name'

let directory: string
let layout: OciLayout
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-archive-'))
  layout = ociLayout(join(directory, 'layout'))
  mkdirSync(join(directory, 'archives'))
  file = join(directory, 'archives', 'image.tar')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function tarOf(
  files: Readonly<Record<string, Uint8Array | string | { readonly link: string }>>,
): Promise<Buffer> {
  const archive = pack()
  for (const [name, content] of Object.entries(files)) {
    if (typeof content === 'string' || content instanceof Uint8Array) archive.entry({ name }, Buffer.from(content))
    else archive.entry({ name, type: 'symlink', linkname: content.link })
  }
  archive.finalize()
  const chunks: Uint8Array[] = []
  for await (const chunk of archive as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function put(mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const open = async function* () {
    yield bytes
  }
  return layout.sink.blob({ mediaType, open }, testContext())
}

/** An image of one plain layer that no two calls share, in the layout. */
async function image(name: string, architecture = 'amd64'): Promise<Descriptor> {
  const layer = await tarOf({ [name]: name.repeat(50_000) })
  const rootfs = { type: 'layers', diff_ids: [digestOf(layer)] }
  const config = await put(mediaTypes.config, Buffer.from(JSON.stringify({ os: 'linux', architecture, rootfs })))
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: [await put(mediaTypes.layer, layer)],
  }
  return layout.sink.manifest(Buffer.from(JSON.stringify(manifest)), { mediaType: mediaTypes.manifest }, testContext())
}

async function index(): Promise<Descriptor> {
  const manifests = await Promise.all(
    ['amd64', 'arm64'].map(async (architecture) => ({
      ...(await image(`for ${architecture}`, architecture)),
      platform: { os: 'linux', architecture },
    })),
  )
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }))
  return layout.sink.manifest(bytes, { mediaType: mediaTypes.index }, testContext())
}

async function copied(root: Descriptor): Promise<OciLayout> {
  const to = ociLayout(join(directory, 'copied'))
  await pipe(ociArchive(file).source(root), to.sink, {}, testContext())
  return to
}

function blobsOf({ directory: folder }: OciLayout): readonly string[] {
  return readdirSync(join(folder, 'blobs', 'sha256')).toSorted()
}

describe('an OCI archive', () => {
  it('gives back all of an index with its images, under the same digest and with its tag', async () => {
    const root = await index()
    const written = await ociArchive(file).write(layout.source(root), { tag: 'v1' }, testContext())
    expect(written.digest).toBe(root.digest)
    const [found] = await ociArchive(file).roots()
    expect(found).toMatchObject({ digest: root.digest, annotations: { [tagAnnotation]: 'v1' } })
    expect(blobsOf(await copied(written))).toEqual(blobsOf(layout))
    expect(readdirSync(join(directory, 'archives'))).toEqual(['image.tar'])
  })

  it('has the same bytes whenever it is written', async () => {
    const root = await image('one')
    await ociArchive(file).write(layout.source(root), { tag: 'v1' }, testContext())
    const first = digestOf(readFileSync(file))
    await ociArchive(file).write(layout.source(root), { tag: 'v1' }, testContext())
    expect(digestOf(readFileSync(file))).toBe(first)
  })

  it('is compressed on the way where asked', async () => {
    const root = await image('one')
    const written = await ociArchive(file).write(
      layout.source(root),
      { compression: { method: 'gzip' } },
      testContext(),
    )
    expect(written.digest).not.toBe(root.digest)
    const to = await copied(written)
    const [layer] = parseManifest(readFileSync(to.path(written.digest))).layers
    const [plain] = parseManifest(readFileSync(layout.path(root.digest))).layers
    expect(layer?.mediaType).toBe(mediaTypes.layerGzip)
    expect(digestOf(gunzipSync(readFileSync(to.path(layer?.digest ?? ''))))).toBe(plain?.digest)
  })

  it('is as it was before where writing is stopped or fails, and nothing else is left', async () => {
    const root = await image('one')
    await ociArchive(file).write(layout.source(root), { tag: 'v1' }, testContext())
    const before = readFileSync(file)
    const stopped = ociArchive(file).write(
      layout.source(await image('two')),
      {},
      testContext({ signal: AbortSignal.abort() }),
    )
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' })
    const missing = { ...root, digest: digestOf(Buffer.from('missing')) }
    await expect(ociArchive(file).write(layout.source(missing), {}, testContext())).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
    })
    expect(readFileSync(file).equals(before)).toBe(true)
    expect(readdirSync(join(directory, 'archives'))).toEqual(['image.tar'])
  })

  it('lists nothing where there is no file', async () => {
    expect(await ociArchive(file).roots()).toEqual([])
  })

  it('is read by skopeo, and skopeo writes what is read', async ({ skip }) => {
    if (spawnSync('skopeo', ['--version']).status !== 0) skip('skopeo is not installed')
    const root = await image('one')
    await ociArchive(file).write(layout.source(root), { tag: 'v1' }, testContext())
    const raw = spawnSync('skopeo', ['inspect', '--raw', `oci-archive:${file}:v1`])
    expect({ digest: digestOf(raw.stdout), said: raw.stderr.toString() }).toEqual({ digest: root.digest, said: '' })
    rmSync(file)
    const from = `oci:${layout.directory}@0`
    await layout.sink.manifest(readFileSync(layout.path(root.digest)), { ...root, tag: 'v2' }, testContext())
    const copy = spawnSync('skopeo', ['copy', '-q', from.replace('@0', ':v2'), `oci-archive:${file}:v3`])
    expect(copy.stderr.toString()).toBe('')
    const [found] = await ociArchive(file).roots()
    expect(found?.annotations?.[tagAnnotation]).toBe('v3')
    if (found) await copied(found)
  })
})

describe('what docker save wrote', () => {
  async function saved(extra: Readonly<Record<string, { readonly link: string }>> = {}) {
    const layer = await tarOf({ file: 'content' })
    const config = Buffer.from(JSON.stringify({ rootfs: { diff_ids: [digestOf(layer), digestOf(layer)] } }))
    const list = [{ Config: 'c.json', RepoTags: ['web:v1', 'web:v2'], Layers: ['a/layer.tar', 'b/layer.tar'] }]
    const files = { 'a/layer.tar': layer, 'b/layer.tar': layer, ...extra, 'c.json': config }
    writeFileSync(file, await tarOf({ ...files, 'manifest.json': JSON.stringify(list) }))
    return { layer, config }
  }

  it('is an image for each of its names, with a manifest made for it', async () => {
    const { layer, config } = await saved()
    const roots = await ociArchive(file).roots()
    expect(roots.map(({ annotations }) => annotations?.[tagAnnotation])).toEqual(['web:v1', 'web:v2'])
    const [root] = roots
    if (!root) throw new Error('no root')
    const to = await copied(root)
    expect(blobsOf(to)).toEqual([root.digest, digestOf(layer), digestOf(config)].map((one) => one.slice(7)).toSorted())
  })

  it('may keep a layer that it has already as a link', async () => {
    const { layer } = await saved({ 'b/layer.tar': { link: '../a/layer.tar' } })
    const [root] = await ociArchive(file).roots()
    if (!root) throw new Error('no root')
    expect(blobsOf(await copied(root))).toContain(digestOf(layer).slice(7))
  })
})

describe('what is no archive of images', () => {
  const cases = {
    'is empty': async () => Buffer.alloc(0),
    'is text': async () => Buffer.from('x'.repeat(2000)),
    'is a tar of other things': () => tarOf({ 'README.md': 'x' }),
    'has an index that is not JSON': () => tarOf({ 'index.json': '{' }),
    'has an index that lists nothing readable': () => tarOf({ 'index.json': '{"manifests":[1]}' }),
    'has a list that is none': () => tarOf({ 'manifest.json': '[{"Config":1}]' }),
    'lists a config that is not in it': () => tarOf({ 'manifest.json': '[{"Config":"c","Layers":[]}]' }),
    'lists layers that the config does not know': () =>
      tarOf({ c: '{"rootfs":{"diff_ids":[]}}', l: '', 'manifest.json': '[{"Config":"c","Layers":["l"]}]' }),
  }
  it.each(Object.entries(cases))('is refused with its path: it %s', async (_, make) => {
    writeFileSync(file, await make())
    await expect(ociArchive(file).roots()).rejects.toMatchObject({
      code: 'REGISTRY_FAILED',
      message: expect.stringContaining(file),
      retryable: false,
    })
  })

  it('is refused where it was cut off, wherever that was', async () => {
    const root = await image('one')
    await ociArchive(file).write(layout.source(root), {}, testContext())
    const whole = readFileSync(file).byteLength
    for (const length of [whole - 1024 - 700, Math.floor(whole / 2), 700, 300]) {
      truncateSync(file, length)
      await expect(ociArchive(file).roots(), `cut at ${length}`).rejects.toMatchObject({ code: 'REGISTRY_FAILED' })
    }
  })

  it('is refused where a blob is another one than its name says', async () => {
    const root = await image('one')
    await ociArchive(file).write(layout.source(root), {}, testContext())
    const bytes = readFileSync(file)
    bytes.write('two', bytes.indexOf('oneoneone'))
    writeFileSync(file, bytes)
    await expect(copied(root)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  })
})

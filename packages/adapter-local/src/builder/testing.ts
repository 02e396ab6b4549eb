import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  type BuildCacheEnds,
  type BuildRequest,
  type BuiltImage,
  type Descriptor,
  digestOf,
  type ImageSource,
  KiwiError,
  mediaTypes,
  ociLayout,
  parseManifest,
} from '@kiwi/core'
import { type TestContext, testContext } from '@kiwi/core/testing'
import type { ImageConfig, Layer, RunConfig } from '../layers/index.js'
import { treeOf } from '../layers/testing.js'
import { type LocalBuilderOptions, localBuilder } from './local-builder.js'

export const architecture: string = process.arch === 'x64' ? 'amd64' : process.arch

/** A program that needs nothing else, for images in which RUN runs something; undefined where this machine has none. */
export const busybox: string | undefined = ['/bin/busybox', '/usr/bin/busybox'].find((file) => existsSync(file))

/** A folder with a build context, a builder's state and base images; removed on dispose. */
export interface Bench extends Disposable {
  readonly directory: string
  readonly state: string
  /** Writes files into the context; a trailing slash makes a directory. */
  write(files: Readonly<Record<string, string>>): void
  /** Makes an image that FROM can name. */
  base(name: string, layers: readonly Layer[], config?: RunConfig): Promise<void>
  /** Of an image made with `base`; its blobs lie in `bases`. */
  manifest(name: string): Descriptor
  build(dockerfile: string, more?: Partial<BuildRequest>, watch?: Watch): Promise<Built>
}

export interface Watch {
  readonly signal?: AbortSignal | undefined
  readonly onOutput?: (() => void) | undefined
  readonly secrets?: Readonly<Record<string, string>> | undefined
  readonly cache?: BuildCacheEnds | undefined
}

export interface Built {
  readonly image: BuiltImage
  readonly config: ImageConfig & { readonly config: RunConfig }
  readonly context: TestContext
  /** `step: note` of each step that makes files. */
  readonly notes: Readonly<Record<string, string>>
  /** Digests of the layers. */
  readonly layers: readonly string[]
  /** What an independent reader unpacks: GNU tar, layer by layer, and `rm` for each whiteout. */
  tree(): Record<string, string>
  /** Paths in the archive of the last layer but `back`. */
  names(back?: number): string[]
  /** `tar -tv` of that layer. */
  list(back?: number): string
}

export function bench(options: Partial<LocalBuilderOptions> = {}): Bench {
  const directory = mkdtempSync(join(tmpdir(), 'kiwi-builder-'))
  const context = join(directory, 'context')
  const state = join(directory, 'state')
  mkdirSync(context)
  const bases = new Map<string, ImageSource>()
  const builder = localBuilder({ directory: state, ...options })
  const images = ociLayout(join(directory, 'bases'))
  let builds = 0
  return {
    directory,
    state,
    write(files) {
      for (const [path, content] of Object.entries(files)) {
        mkdirSync(path.endsWith('/') ? join(context, path) : dirname(join(context, path)), { recursive: true })
        if (!path.endsWith('/')) writeFileSync(join(context, path), content)
      }
    },
    async base(name, layers, config) {
      bases.set(name, await putImage(images, layers, config))
    },
    manifest(name) {
      const source = bases.get(name)
      if (source === undefined) throw new TypeError(`there is no ${name}`)
      return source.root
    },
    async build(dockerfile, more = {}, watch = {}) {
      builds += 1
      const plain = testContext({ id: `build-${builds}`, signal: watch.signal, secrets: watch.secrets })
      const output: TestContext['output'] = async (bytes, where) => {
        watch.onOutput?.()
        await plain.output(bytes, where)
      }
      const test = { ...plain, output }
      const request: BuildRequest = {
        dockerfile,
        dockerfilePath: 'Dockerfile',
        contextPath: '.',
        args: {},
        platform: { os: 'linux', architecture },
        labels: {},
        createdAtSeconds: 1_750_000_000,
        ...more,
      }
      const image = async (reference: string) => {
        const found = bases.get(reference)
        if (found === undefined) throw new KiwiError('BASE_IMAGE_MISSING', `there is no ${reference}`)
        return found
      }
      const sink = ociLayout(join(directory, 'sink'))
      const io = { tree: { directory: context }, sink: sink.sink, image, cache: watch.cache }
      const built = await builder.build(request, io, test)
      return readBuilt(built, sink, test, join(directory, `unpacked-${builds}`))
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
}

type Layout = ReturnType<typeof ociLayout>

async function putImage(layout: Layout, layers: readonly Layer[], config: RunConfig = {}): Promise<ImageSource> {
  const context = testContext()
  for (const { descriptor, open } of layers) {
    await layout.sink.blob({ mediaType: descriptor.mediaType, open: () => open(context.signal) }, context)
  }
  const diffIds = layers.map(({ diffId }) => diffId)
  const image = { os: 'linux', architecture, config, rootfs: { type: 'layers', diff_ids: diffIds } }
  const bytes = Buffer.from(JSON.stringify(image))
  const open = async function* () {
    yield bytes
  }
  const stored = await layout.sink.blob({ mediaType: mediaTypes.config, open }, context)
  const manifest = { schemaVersion: 2, config: stored, layers: layers.map(({ descriptor }) => descriptor) }
  const options = { mediaType: mediaTypes.manifest }
  return layout.source(await layout.sink.manifest(Buffer.from(JSON.stringify(manifest)), options, context))
}

function readBuilt(image: BuiltImage, layout: Layout, context: TestContext, folder: string): Built {
  const blob = (digest: string) => readFileSync(layout.path(digest))
  const manifest = parseManifest(blob(image.manifest.digest))
  const file = (back: number) => layout.path(manifest.layers.at(-1 - back)?.digest ?? '')
  const tar = (back: number, ...flags: string[]) =>
    execFileSync('tar', ['--numeric-owner', '--full-time', ...flags, '-zf', file(back)], {
      env: { LC_ALL: 'C', TZ: 'UTC', PATH: process.env.PATH ?? '' },
    }).toString()
  return {
    image,
    context,
    config: JSON.parse(blob(manifest.config.digest).toString()) as Built['config'],
    notes: notesOf(context),
    layers: manifest.layers.map(({ digest }) => digest),
    names: (back = 0) => tar(back, '-t').trim().split('\n'),
    list: (back = 0) => tar(back, '-tv'),
    tree() {
      mkdirSync(folder)
      for (const { digest } of manifest.layers) applyLayer(layout.path(digest), folder)
      const found = treeOf(folder)
      rmSync(folder, { recursive: true })
      return found
    },
  }
}

/** Unpacks a layer onto a folder with GNU tar, and `rm` for each whiteout. */
export function applyLayer(file: string, folder: string): void {
  const names = execFileSync('tar', ['-tzf', file]).toString().trim().split('\n')
  for (const name of names.filter((one) => /(^|\/)\.wh\.[^/]*$/.test(one))) {
    rmSync(join(folder, name.replace(/\.wh\.([^/]*)$/, '$1')), { recursive: true, force: true })
  }
  execFileSync('tar', ['--numeric-owner', '-p', '-xzf', file, '--exclude=.wh.*', '-C', folder])
}

/** Checks on the way that every layer counted in the history is there: digests and diff ids are one list. */
function notesOf({ facts }: TestContext): Record<string, string> {
  const ended = facts.filter((fact) => fact.type === 'step-ended')
  const rows = ended.flatMap(({ step, cachedFrom, missedBecause }): [string, string][] => {
    const note = cachedFrom ?? missedBecause
    return note === undefined ? [] : [[step, note]]
  })
  return Object.fromEntries(rows)
}

/** For tests that look at bytes. */
export function digestOfText(text: string): string {
  return digestOf(Buffer.from(text)).slice(7, 19)
}

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Builder, BuildIo, BuildRequest, BuiltImage } from '../../contracts/v1/builder.js'
import type { ImageSource } from '../../contracts/v1/image.js'
import type { ErrorCode } from '../../errors/catalogue.js'
import { KiwiError } from '../../errors/kiwi-error.js'
import { digestOf } from '../../image/digest.js'
import { parseManifest } from '../../image/manifest.js'
import { type TestContext, testContext } from '../context.js'
import { type MemoryImages, memoryImages } from '../memory-image.js'
import { isPlainJson, isProbe, rejects, stops } from './expect.js'
import type { KitCase } from './kit.js'

export interface BuilderKitOptions {
  /** The builder of one case: always the same one, or a new one each time. */
  builder(): Builder | Promise<Builder>
  /** A Dockerfile that this builder can build from `{ Dockerfile, hello }`. Default: from scratch, with `hello` copied. */
  readonly dockerfile?: string | undefined
  /** Dockerfiles that must fail, and how. */
  readonly failing?: readonly { readonly dockerfile: string; readonly code: ErrorCode }[] | undefined
  /** A Dockerfile that this builder cannot build here. */
  readonly unfit?: string | undefined
  /** Opens the base images that the Dockerfile names. Default: there are none. */
  readonly image?: BuildIo['image'] | undefined
  /** Reads a built image that is not in the sink. Needed where `at` is not `sink`. */
  readonly read?: ((image: BuiltImage) => Promise<ImageSource>) | undefined
  /** Default: linux on this machine's architecture. */
  readonly platform?: BuildRequest['platform'] | undefined
  readonly secrets?: Readonly<Record<string, string>> | undefined
}

interface Bench {
  readonly builder: Builder
  readonly directory: string
  readonly images: MemoryImages
  readonly request: BuildRequest
  readonly key: string
  context(more?: { readonly id?: string; readonly signal?: AbortSignal }): TestContext
  build(more?: Partial<BuildRequest>, context?: TestContext): Promise<BuiltImage>
}

const hello = 'hello from the kit'

/** What every builder keeps of its contract. */
export function builderKit(options: BuilderKitOptions): readonly KitCase[] {
  const one = (name: string, check: (bench: Bench) => Promise<void>): KitCase => ({
    name,
    async run() {
      const directory = await mkdtemp(join(tmpdir(), 'kiwi-builder-kit-'))
      try {
        await check(await newBench(options, directory))
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    },
  })
  const { unfit, failing = [] } = options
  return [
    one('says in a probe what answers', async ({ builder, context }) => {
      isProbe(await builder.probe(context()), 'the builder')
      assert.equal(builder.contract, 'builder/v1')
    }),
    one(
      'says that it can build, and builds nothing to find that out',
      async ({ builder, request, context, key, images }) => {
        assert.deepEqual(await builder.fit(request, context()), { ok: true, missing: [] })
        assert.equal(await builder.find(key, context()), undefined)
        assert.equal(images.contents.size, 0)
      },
    ),
    one('makes a whole image, of the platform and with the labels asked for', (bench) => makesWhole(bench, options)),
    one('finds the image that an operation made, and none of another', async ({ builder, build, context, key }) => {
      assert.equal(await builder.find(key, context()), undefined)
      const built = await build()
      assert.deepEqual(await builder.find(key, context({ id: 'someone-else' })), built)
      assert.equal(await builder.find(`${key}-other`, context()), undefined)
    }),
    one(
      'makes the same image of the same request, and another of another',
      async ({ build, context, key, request }) => {
        const { manifest } = await build()
        assert.equal((await build({}, context({ id: `${key}-2` }))).manifest.digest, manifest.digest)
        const labels = { ...request.labels, commit: 'another' }
        assert.notEqual((await build({ labels }, context({ id: `${key}-3` }))).manifest.digest, manifest.digest)
      },
    ),
    one('keeps apart what is built at once', async ({ builder, build, request, context, key }) => {
      const keys = [1, 2, 3].map((number) => `${key}-${number}`)
      const built = await Promise.all(
        keys.map((id) => build({ labels: { ...request.labels, commit: id } }, context({ id }))),
      )
      assert.equal(new Set(built.map(({ manifest }) => manifest.digest)).size, 3)
      for (const [index, id] of keys.entries()) assert.deepEqual(await builder.find(id, context()), built[index])
    }),
    one('reports each step’s beginning and end, in order', async ({ build, context }) => {
      const at = context()
      await build({}, at)
      stepsInOrder(at)
    }),
    one('changes nothing in the tree it builds from', async ({ build, directory }) => {
      const before = await readdir(directory, { recursive: true })
      await build()
      assert.deepEqual((await readdir(directory, { recursive: true })).sort(), before.sort())
    }),
    one('makes no image once the signal has fired', async ({ builder, build, context, key }) => {
      await stops(build({}, context({ signal: AbortSignal.abort(new Error('enough')) })), 'build')
      assert.equal(await builder.find(key, context()), undefined)
    }),
    ...failing.map(({ dockerfile, code }) =>
      one(`fails with ${code} where it should, and has no image to be found`, async (bench) => {
        await rejects(bench.build({ dockerfile }), dockerfile, { codes: [code] })
        assert.equal(await bench.builder.find(bench.key, bench.context()), undefined)
      }),
    ),
    ...(unfit === undefined
      ? []
      : [
          one('says what it lacks for a Dockerfile that it cannot build, and what cures that', async (bench) => {
            const fit = await bench.builder.fit({ ...bench.request, dockerfile: unfit }, bench.context())
            assert.deepEqual([fit.ok, fit.missing.length > 0], [false, true])
            assert.ok(fit.missing.every(({ what, cure }) => what !== '' && cure !== ''))
          }),
        ]),
  ]
}

async function newBench(options: BuilderKitOptions, directory: string): Promise<Bench> {
  const { dockerfile = 'FROM scratch\nCOPY hello /hello\nCMD ["/hello"]\n', secrets } = options
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  const request: BuildRequest = {
    ...{ dockerfile, dockerfilePath: 'Dockerfile', contextPath: '.', args: {} },
    platform: options.platform ?? { os: 'linux', architecture },
    labels: { 'kiwi.kit': 'yes', commit: 'a1b2c3d' },
    createdAtSeconds: 1_700_000_000,
  }
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'Dockerfile'), dockerfile)
  await writeFile(join(directory, 'hello'), hello, { mode: 0o755 })
  const builder = await options.builder()
  const images = memoryImages()
  const key = `kit-${randomBytes(6).toString('hex')}`
  const context: Bench['context'] = (more) => testContext({ id: key, secrets, ...more })
  const noImage = async (reference: string) => {
    throw new KiwiError('BASE_IMAGE_MISSING', `there is no ${reference}`)
  }
  const io: BuildIo = { tree: { directory }, sink: images.sink, image: options.image ?? noImage }
  const build: Bench['build'] = async (more, at = context()) => builder.build({ ...request, ...more }, io, at)
  return { builder, directory, images, request, key, context, build }
}

async function makesWhole({ build, images, request, context }: Bench, { read }: BuilderKitOptions): Promise<void> {
  const built = await build()
  isPlainJson(built, 'a built image')
  const { signal } = context()
  const source = built.at === 'sink' ? images.source(built.manifest) : await read?.(built)
  if (!source) assert.fail('give the kit `read`: this builder puts images elsewhere')
  const bytes = await source.manifest(built.manifest, signal)
  assert.deepEqual([digestOf(bytes), bytes.byteLength], [built.manifest.digest, built.manifest.size])
  const { config, layers } = parseManifest(bytes)
  for (const blob of [config, ...layers]) {
    const content = Buffer.concat(await Array.fromAsync(source.blob(blob, { offsetBytes: 0, signal })))
    assert.deepEqual([digestOf(content), content.byteLength], [blob.digest, blob.size], 'a blob of the manifest')
  }
  assert.equal(built.layers, layers.length)
  assert.equal(
    built.sizeBytes,
    layers.reduce((sum, { size }) => sum + size, 0),
  )
  assert.deepEqual(built.platform, request.platform)
  const text = Buffer.concat(await Array.fromAsync(source.blob(config, { offsetBytes: 0, signal }))).toString()
  const { os, architecture, config: settings } = JSON.parse(text) as Readonly<Record<string, unknown>> // compared next
  assert.deepEqual({ os, architecture }, { os: request.platform.os, architecture: request.platform.architecture })
  const { Labels: labels } = settings as { readonly Labels?: Readonly<Record<string, string>> } // compared next
  assert.deepEqual({ ...labels, ...request.labels }, labels, 'the labels')
}

function stepsInOrder({ facts }: TestContext): void {
  const open = new Set<string>()
  for (const fact of facts) {
    if (fact.type === 'step-started') {
      assert.ok(fact.index >= 0 && fact.index < fact.total, `step ${fact.index} of ${fact.total}`)
      open.add(fact.step)
    } else if (fact.type === 'step-ended') assert.ok(open.delete(fact.step), `${fact.step} ended and had not begun`)
  }
  assert.deepEqual([...open], [], 'steps that never ended')
}

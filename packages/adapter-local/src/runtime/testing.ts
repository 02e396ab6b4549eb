import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import {
  type Action,
  type Context,
  type Descriptor,
  digestOf,
  type EnsureSlot,
  type ImageAtUse,
  type InstanceSpec,
  mediaTypes,
  type Publish,
  type RunOnce,
  type Runtime,
  type Snapshot,
  type Target,
} from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { build } from 'esbuild'
import { afterAll, afterEach } from 'vitest'
import type { Layer, RunConfig } from '../layers/index.js'
import { encodeHeader, endOfTar, padding } from '../layers/tar/write.js'
import { layerOf, overlayMissing } from '../layers/testing.js'
import { type LocalRuntime, type LocalRuntimeOptions, localRuntime } from './index.js'

export { overlayMissing }

/** Why tests in namespaces cannot run here; undefined where they can. */
export const namespacesMissing: string | undefined =
  overlayMissing ?? (existsSync('/bin/busybox') ? undefined : '/bin/busybox is missing (package busybox-static)')

export const web: Target = {
  service: 'web',
  environment: 'production',
  publish: { protocol: 'http', address: '127.0.0.1', port: 0 },
}

let bundle: Promise<string> | undefined
const scratch = mkdtempSync(join(tmpdir(), 'kiwi-runtime-'))
const started: LocalRuntime[] = []
afterEach(() => stopAll(started.splice(0)))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** A runtime with a directory of its own, unless told; its environments end with the test. */
export async function startRuntime(options: Partial<LocalRuntimeOptions> = {}): Promise<LocalRuntime> {
  const runtime = await makeRuntime(options)
  started.push(runtime)
  return runtime
}

/** One runtime for all tests of a file, which have targets of their own. */
export function sharedRuntime(options: Partial<LocalRuntimeOptions>): () => Promise<LocalRuntime> {
  let made: Promise<LocalRuntime> | undefined
  afterAll(async () => made && stopAll([await made]))
  return () => {
    made ??= makeRuntime(options)
    return made
  }
}

async function makeRuntime(options: Partial<LocalRuntimeOptions> = {}): Promise<LocalRuntime> {
  const directory = options.directory ?? newDirectory()
  return localRuntime({ supervisorPath: await bundleSupervisor(), ...options, directory })
}

/** Goes when the tests of the file are over. */
export function newDirectory(): string {
  return mkdtempSync(join(scratch, 'r-'))
}

/** The supervisor from its source, as one file. */
export function bundleSupervisor(): Promise<string> {
  bundle ??= (async () => {
    const outfile = join(scratch, 'supervisor.mjs')
    const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))
    await build({
      entryPoints: [source('../supervisor/main.ts')],
      alias: { '@kiwi/core': source('../../../core/src/index.ts') },
      bundle: true,
      format: 'esm',
      platform: 'node',
      external: ['@kiwi/wizard', 'simple-git', 'tar-stream', 'zod'],
      outfile,
    })
    return outfile
  })()
  return bundle
}

async function stopAll(runtimes: readonly LocalRuntime[]): Promise<void> {
  for (const runtime of runtimes) for (const target of await runtime.list()) await runtime.stop(target).catch(() => {})
}

/** Puts an image of the layers into the runtime; resolves to its manifest digest. */
export async function putImage(runtime: Runtime, config: RunConfig, ...layers: readonly Layer[]): Promise<string> {
  const context = testContext()
  const sink = runtime.sink?.(context)
  if (sink === undefined) throw new Error('the runtime takes no images')
  for (const layer of layers)
    await sink.blob({ ...uploadOf(layer.descriptor), open: () => layer.open(context.signal) }, context)
  const bytes = encode({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  })
  const described = { mediaType: mediaTypes.config, digest: digestOf(bytes), size: bytes.byteLength }
  await sink.blob({ ...uploadOf(described), open: () => once(bytes) }, context)
  const { manifest: mediaType } = mediaTypes
  const descriptors = layers.map(({ descriptor }) => descriptor)
  const manifest = encode({ schemaVersion: 2, mediaType, config: described, layers: descriptors })
  return (await sink.manifest(manifest, { mediaType }, context)).digest
}

/** As a kit asks for them: one image for each answer. */
export function twoImages(
  answers: readonly [string, string],
  put: (runtime: Runtime, answer: string) => Promise<string>,
) {
  return (runtime: Runtime): Promise<readonly [ImageAtUse, ImageAtUse]> => {
    const image = async (answer: string) => ({ digest: await put(runtime, answer), name: `kit/${answer}`, pull: '' })
    return Promise.all([image(answers[0]), image(answers[1])])
  }
}

/** An image whose one file is a Node.js program; for runtimes without isolation. */
export function putNodeImage(runtime: Runtime, program: string): Promise<string> {
  return putImage(
    runtime,
    { Cmd: ['node', '/app/main.mjs'], WorkingDir: '/app' },
    layerOf(['app/'], ['app/main.mjs', program]),
  )
}

/** An image with busybox as `/bin/busybox` and `/bin/sh`, and the files above; for runtimes with namespaces. */
export function putBusyboxImage(runtime: Runtime, config: RunConfig, files: Layer = layerOf()): Promise<string> {
  return putImage(runtime, config, busyboxLayer(), files)
}

function busyboxLayer(): Layer {
  const content = readFileSync('/bin/busybox')
  const common = { mode: 0o755, uid: 0, gid: 0, mtimeSeconds: 1_700_000_000 }
  const tar = Buffer.concat([
    encodeHeader({ ...common, name: 'bin', type: 'directory', size: 0 }),
    encodeHeader({ ...common, name: 'bin/busybox', type: 'file', size: content.byteLength }),
    content,
    padding(content.byteLength),
    encodeHeader({ ...common, name: 'bin/sh', type: 'symlink', size: 0, link: 'busybox' }),
    endOfTar,
  ])
  const blob = gzipSync(tar, { level: 1 })
  const descriptor = { mediaType: mediaTypes.layerGzip, digest: digestOf(blob), size: blob.byteLength }
  return { diffId: digestOf(tar), descriptor, open: () => once(blob) }
}

/** Answers every request with its own text; `/slow` after 300 ms. */
export function answering(text: string): string {
  return `
    import { createServer } from 'node:http'
    const server = createServer((request, response) => {
      const answer = () => response.end(${JSON.stringify(text)})
      if (request.url === '/slow') setTimeout(answer, 300)
      else answer()
    })
    server.listen(Number(process.env.PORT), '127.0.0.1')
    console.log('listening')
  `
}

export const spec: InstanceSpec = {
  env: {},
  port: 3000,
  health: { type: 'http', path: '/', intervalMs: 200, timeoutMs: 1000 },
  volumes: [],
  resources: { requests: {}, limits: {} },
  stopGraceMs: 2000,
}

export function ensure(slot: string, digest: string, more: Partial<EnsureSlot> = {}): Omit<EnsureSlot, 'revision'> {
  const image = { digest, name: `test/${slot}`, pull: '' }
  return { type: 'ensure-slot', slot, release: `release-${slot}`, image, spec, replicas: 1, ...more }
}

export function task(
  name: string,
  digest: string,
  command: readonly string[],
  more: Partial<RunOnce> = {},
): Omit<RunOnce, 'revision'> {
  const image = { digest, name: `test/${name}`, pull: '' }
  return { type: 'run-once', task: name, slot: 'a', release: 'release-a', image, spec, command, ...more }
}

export function isOver(name: string) {
  return ({ tasks }: Snapshot) =>
    tasks.some(({ id, phase }) => id === name && (phase === 'succeeded' || phase === 'failed'))
}

/** The first snapshot for which `fits` holds. */
export async function until(
  runtime: Runtime,
  fits: (snapshot: Snapshot) => boolean,
  { target = web, withinMs = 10_000 } = {},
): Promise<Snapshot> {
  let last: Snapshot | undefined
  const signal = AbortSignal.timeout(withinMs)
  for await (const snapshot of runtime.observe(target, testContext({ signal }))) {
    last = snapshot
    if (fits(snapshot)) return snapshot
  }
  throw new Error(`it did not come to that; last seen: ${JSON.stringify(last)}`)
}

export async function look(runtime: Runtime, target: Target = web): Promise<Snapshot> {
  return until(runtime, () => true, { target })
}

/** An action without the revision, each kind for itself. */
type Ordered = Action extends infer One ? (One extends Action ? Omit<One, 'revision'> : never) : never

/** Acts on what is seen at this moment. */
export async function order(
  runtime: Runtime,
  action: Ordered,
  { context = testContext(), target = web }: { context?: Context; target?: Target } = {},
): Promise<void> {
  const { revision } = await look(runtime, target)
  await runtime.act(target, { ...action, revision }, context)
}

export function isReady(slot: string, count = 1) {
  return ({ slots }: Snapshot) =>
    slots.find(({ id }) => id === slot)?.instances.filter(({ ready }) => ready).length === count
}

export function published(protocol: Publish['protocol'], port = 0): Target {
  return { ...web, publish: { protocol, address: '127.0.0.1', port } }
}

function uploadOf({ mediaType, digest, size }: Descriptor) {
  return { mediaType, expected: { digest, size } }
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

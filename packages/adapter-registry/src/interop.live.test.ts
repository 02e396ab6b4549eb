import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Compression, type Descriptor, ociArchive, ociLayout, pipe } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ociRegistry } from './registry.js'
import { type EmbeddedRegistryServer, serveRegistry } from './server/index.js'
import { type Files, filesOf, writeFilesImage } from './testing/files-image.js'
import { containerd, crane, docker, type Peer, skopeo } from './testing/peers.js'

// What Kiwi pushes the others pull, and the other way round: the same digests, the same files, at two registries.
const { KIWI_LIVE_REGISTRY = '', KIWI_LIVE_DOCKER_HOST } = process.env
const run = promisify(execFile)
const signal = AbortSignal.timeout(180_000)
const context = testContext({ signal })
const directory = mkdtempSync(join(tmpdir(), 'kiwi-interop-'))
const plain = ociLayout(join(directory, 'plain'))
const layouts = { gzip: ociLayout(join(directory, 'gzip')), zstd: ociLayout(join(directory, 'zstd')) }
const peers = new Map<string, Peer & Partial<AsyncDisposable>>()
const hosts = new Map<string, string>()
const roots: Record<string, Descriptor> = {}
let files: Files
let server: EmbeddedRegistryServer & AsyncDisposable

describe.skipIf(!KIWI_LIVE_REGISTRY || !KIWI_LIVE_DOCKER_HOST || process.getuid?.() !== 0)('images', () => {
  beforeAll(async () => {
    const tool = fileURLToPath(new URL('../../../testbed/tool', import.meta.url))
    const { stdout } = await run(tool, ['crane'])
    const program = stdout.trim().split('\n').at(-1) ?? ''
    const made = [crane(program, directory), skopeo(directory), docker(KIWI_LIVE_DOCKER_HOST ?? '', directory)]
    for (const peer of [...made, await containerd(directory)]) peers.set(peer.name, peer)
    server = await serveRegistry({ directory: join(directory, 'served') })
    hosts.set('a CNCF distribution', KIWI_LIVE_REGISTRY).set('our own server', server.address)
    const written = await writeFilesImage(plain.sink, context)
    files = written.files
    for (const method of ['gzip', 'zstd'] as const)
      for (const kind of ['image', 'index'] as const)
        roots[`${method} ${kind}`] = await pipe(
          plain.source(written[kind]),
          layouts[method].sink,
          { tag: kind, compression: { method } },
          context,
        )
  }, 120_000)

  afterAll(async () => {
    for (const peer of peers.values()) await peer[Symbol.asyncDispose]?.()
    await server?.[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  })

  for (const at of ['a CNCF distribution', 'our own server'])
    for (const name of ['crane', 'skopeo', 'docker', 'containerd'])
      for (const kind of ['image', 'index'] as const) {
        for (const method of ['gzip', 'zstd'] as const)
          test(`pushed by Kiwi to ${at} (${method} ${kind}) are pulled by ${name}`, { timeout: 60_000 }, async (it) => {
            const peer = peerNamed(name)
            it.skip(method === 'zstd' && !peer.readsZstd, `${name} reads no zstd`)
            const { place, registry, reference } = openAt(at)
            await using _ = registry
            const pushed = await pipe(sourceOf(method, kind), registry.sink(place), { tag: 'v1' }, context)
            const pulled = await peer.pull(reference)
            expect(pulled.files).toEqual(sorted(files))
            expect(pulled.digest).toBe(pushed.digest)
          })

        test(`pushed by ${name} to ${at} (${kind}) are pulled by Kiwi`, { timeout: 60_000 }, async (it) => {
          const peer = peerNamed(name)
          it.skip(kind === 'index' && !peer.writesIndexes, `${name} writes no indexes`)
          const { place, registry, reference } = openAt(at)
          await using _ = registry
          const { digest } = rootOf('gzip', kind)
          const said = await peer.push({ layout: layouts.gzip.directory, tag: kind, digest }, reference)
          const source = await registry.source({ repository: place, reference: 'v1' }, context)
          expect(source.root.digest).toBe(said)
          const copy = ociLayout(join(directory, randomUUID()))
          const root = await pipe(source, copy.sink, { tag: 'v1' }, context)
          expect(root.digest).toBe(said)
          expect(await filesOf(copy.source(root), signal)).toEqual(sorted(files))
        })
      }

  test('saved by docker are pushed by Kiwi, and have the same files', { timeout: 60_000 }, async () => {
    const { place, registry, reference } = openAt('our own server')
    await using _ = registry
    await pipe(sourceOf('gzip', 'image'), registry.sink(place), { tag: 'v1' }, context)
    const saved = join(directory, 'saved.tar')
    const host = ['--host', KIWI_LIVE_DOCKER_HOST ?? '']
    await run('docker', [...host, 'pull', '--quiet', reference])
    await run('docker', [...host, 'save', '--output', saved, reference])
    await run('docker', [...host, 'rmi', reference])
    const archive = ociArchive(saved)
    const [root] = await archive.roots()
    if (!root) throw new Error('the archive lists nothing')
    await pipe(archive.source(root), registry.sink(place), { tag: 'v2', compression: { method: 'gzip' } }, context)
    const back = await registry.source({ repository: place, reference: 'v2' }, context)
    expect(await filesOf(back, signal)).toEqual(sorted(files))
  })
})

function openAt(at: string) {
  const host = hosts.get(at) ?? ''
  const place = `kiwi-interop/${randomUUID()}`
  return { place, registry: ociRegistry({ host, plainHttp: true }), reference: `${host}/${place}:v1` }
}

function peerNamed(name: string): Peer {
  const peer = peers.get(name)
  if (!peer) throw new Error(`there is no peer ${name}`)
  return peer
}

function rootOf(method: Compression, kind: string): Descriptor {
  const root = roots[`${method} ${kind}`]
  if (!root) throw new Error(`there is no ${method} ${kind}`)
  return root
}

function sourceOf(method: Compression, kind: string) {
  return layouts[method].source(rootOf(method, kind))
}

function sorted(some: Files): Files {
  return Object.fromEntries(Object.entries(some).sort(([one], [other]) => (one < other ? -1 : 1)))
}

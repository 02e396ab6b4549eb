import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { testContext } from '../testing/context.js'
import { digestOf } from './digest.js'
import { ociLayout } from './layout.js'
import { withLock } from './lock.js'
import { mediaTypes, parseManifest } from './manifest.js'
import { startProcess } from './test-process.js'
import { randomFrom } from './test-random.js'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-layout-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const tagAnnotation = 'org.opencontainers.image.ref.name'

async function* once(bytes: Uint8Array) {
  yield bytes
}

async function put(name: string, tag?: string) {
  const { sink } = ociLayout(directory)
  const config = await sink.blob(
    { mediaType: mediaTypes.config, open: () => once(Buffer.from(`{"n":"${name}"}`)) },
    testContext(),
  )
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [] }))
  return sink.manifest(manifest, { mediaType: mediaTypes.manifest, tag }, testContext())
}

async function tags(): Promise<Record<string, string>> {
  const roots = await ociLayout(directory).roots()
  return Object.fromEntries(roots.map(({ annotations, digest }) => [annotations?.[tagAnnotation] ?? '', digest]))
}

/** Writes images of random layers with tags of its own, until it is stopped or has made `count`. */
function writer(name: string, count: number) {
  return startProcess(
    import.meta.url,
    `
    const { ociLayout } = await from('./layout.ts')
    const { sink } = ociLayout(${JSON.stringify(directory)})
    const context = { signal: new AbortController().signal, report() {} }
    const bytes = (length) => crypto.getRandomValues(new Uint8Array(length))
    const blob = (content) => sink.blob({ mediaType: 'x', open: async function* () { for (let at = 0; at < content.length; at += 9999) yield content.subarray(at, at + 9999) } }, context)
    console.log('ready')
    for (let index = 0; index < ${count}; index += 1) {
      const config = await blob(Buffer.from(JSON.stringify({ name: '${name}', index })))
      const layers = await Promise.all([1, 2, 3].map(() => blob(bytes(30_000))))
      const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: '${mediaTypes.manifest}', config, layers }))
      await sink.manifest(manifest, { mediaType: '${mediaTypes.manifest}', tag: '${name}-' + index % 20 }, context)
    }`,
  )
}

describe('index.json', () => {
  it('lists what was written with a tag, and the tag goes to the newest', async () => {
    await put('unnamed')
    expect(await ociLayout(directory).roots()).toEqual([])
    const first = await put('one', 'v1')
    const second = await put('two', 'v2')
    expect(await tags()).toEqual({ v1: first.digest, v2: second.digest })
    const third = await put('three', 'v1')
    expect(await tags()).toEqual({ v1: third.digest, v2: second.digest })
    expect(JSON.parse(readFileSync(join(directory, 'oci-layout'), 'utf8'))).toEqual({ imageLayoutVersion: '1.0.0' })
  })

  it('keeps all that other tools wrote there', async () => {
    const foreign = {
      mediaType: mediaTypes.manifest,
      digest: digestOf(Buffer.from('x')),
      size: 1,
      urls: ['kept'],
      annotations: { other: 'y' },
    }
    writeFileSync(
      join(directory, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [foreign], annotations: { top: 'z' } }),
    )
    const root = await put('one', 'v1')
    const index = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8'))
    expect(index).toMatchObject({
      schemaVersion: 2,
      annotations: { top: 'z' },
      manifests: [foreign, { digest: root.digest }],
    })
  })

  it('is left as it is where it cannot be read', async () => {
    for (const text of ['', '{', '[]', '{"manifests":{}}', '{"manifests":[1]}']) {
      writeFileSync(join(directory, 'index.json'), text)
      await expect(put('one', 'v1')).rejects.toMatchObject({ code: 'REGISTRY_FAILED' })
      await expect(ociLayout(directory).roots()).rejects.toMatchObject({ code: 'REGISTRY_FAILED' })
      expect(readFileSync(join(directory, 'index.json'), 'utf8')).toBe(text)
    }
  })

  it('is what skopeo expects, where there is one', async ({ skip }) => {
    if (spawnSync('skopeo', ['--version']).status !== 0) skip('skopeo is not installed')
    const root = await put('one', 'v1.0')
    const said = spawnSync('skopeo', ['inspect', '--raw', `oci:${directory}:v1.0`])
    expect({ status: said.status, digest: digestOf(said.stdout), said: said.stderr.toString() }).toEqual({
      status: 0,
      digest: root.digest,
      said: '',
    })
  })

  it('loses no entry to others that write at the same moment, in this process and in two more', async () => {
    const others = [writer('a', 12), writer('b', 12)]
    const own = Promise.all(Array.from({ length: 12 }, (_, index) => put(`own ${index}`, `c-${index}`)))
    await Promise.all([own, ...others.map(({ output }) => output)])
    const expected = ['a', 'b', 'c'].flatMap((name) => Array.from({ length: 12 }, (_, index) => `${name}-${index}`))
    expect(Object.keys(await tags()).toSorted()).toEqual(expected.toSorted())
  })
})

describe('a layout whose writer is killed', () => {
  it('holds whole blobs under their own digests, and lists only whole images; what is left is taken away', async () => {
    const random = randomFrom(4)
    for (let round = 0; round < 4; round += 1) {
      const { child, output } = writer(`round-${round}`, 100_000)
      await new Promise((resolve) => child.stdout?.once('data', resolve))
      await wait(20 + random.below(150))
      child.kill('SIGKILL')
      await output
      const layout = ociLayout(directory)
      for (const name of namesIn('blobs/sha256')) {
        expect(digestOf(readFileSync(join(directory, 'blobs/sha256', name)))).toBe(`sha256:${name}`)
      }
      for (const root of await layout.roots()) {
        const { config, layers } = parseManifest(readFileSync(layout.path(root.digest)))
        for (const blob of [config, ...layers])
          expect([blob, await layout.sink.has(blob, testContext())]).toEqual([blob, true])
      }
    }
    await put('after', 'after')
    expect(namesIn('blobs')).toEqual(['sha256'])
    expect(Object.keys(await tags())).toContain('after')
  })

  it('leaves the parts of living writers alone', async () => {
    mkdirSync(join(directory, 'blobs'))
    const strangers = [`.part-0123456789ab-1-1-x`, '.part-other']
    for (const name of strangers) writeFileSync(join(directory, 'blobs', name), '')
    const slow = Promise.withResolvers<void>()
    const writing = ociLayout(directory).sink.blob(
      {
        mediaType: 'x',
        async *open() {
          yield Buffer.from('a')
          await slow.promise
          yield Buffer.from('b')
        },
      },
      testContext(),
    )
    await expect.poll(() => namesIn('blobs').length).toBe(4)
    await put('meanwhile')
    slow.resolve()
    expect((await writing).digest).toBe(digestOf(Buffer.from('ab')))
    expect(namesIn('blobs')).toEqual([...strangers, 'sha256'].toSorted())
  })
})

describe('a lock', () => {
  it('is waited for no longer than the signal lets, and goes with the process that held it', async () => {
    const file = join(directory, 'lock')
    const { child, output } = startProcess(
      import.meta.url,
      `const { withLock } = await from('./lock.ts')
      await withLock(${JSON.stringify(file)}, new AbortController().signal, async () => { console.log('held'); await new Promise((resolve) => setTimeout(resolve, 60_000)) })`,
    )
    await new Promise((resolve) => child.stdout?.once('data', resolve))
    const reason = new Error('enough')
    const stopper = new AbortController()
    const waiting = withLock(file, stopper.signal, async () => 'got it')
    await wait(50)
    stopper.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    const next = withLock(file, new AbortController().signal, async () => 'got it')
    child.kill('SIGKILL')
    expect(await next).toBe('got it')
    await output
  })

  it('lets one in at a time, and the next one also after a failure', async () => {
    let inside = 0
    const file = join(directory, 'lock')
    const { signal } = new AbortController()
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        withLock(file, signal, async () => {
          inside += 1
          expect(inside).toBe(1)
          await wait(1)
          inside -= 1
          if (index % 3 === 0) throw new Error('failed')
          return index
        }),
      ),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(13)
  })
})

function namesIn(folder: string): string[] {
  return readdirSync(join(directory, folder)).sort()
}

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { digestOf, mediaTypes } from '@kiwi/core'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { temporaryDirectory } from '../testing/image.js'
import { serveRegistry } from './index.js'

const kills = 8
let scratch: Awaited<ReturnType<typeof temporaryDirectory>>

beforeAll(async () => {
  scratch = await temporaryDirectory()
  const source = `
    import { serveRegistry } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))}
    console.log((await serveRegistry({ directory: process.argv[2] })).address)`
  await build({
    stdin: { contents: source, resolveDir: import.meta.dirname },
    alias: { '@kiwi/core': join(import.meta.dirname, '../../../core/src/index.ts') },
    outfile: join(scratch.path, 'server.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    external: ['@kiwi/wizard'],
  })
})
afterAll(() => scratch[Symbol.asyncDispose]())

async function start(directory: string): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = spawn(process.execPath, [join(scratch.path, 'server.mjs'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [address] = await once(createInterface(child.stdout), 'line')
  return { child, url: `http://${address}` }
}

/** Pushes images until the server is gone; `kept` has what it said is stored. */
async function pushUntilGone(url: string, kept: Map<string, Buffer>, tags: Map<string, string>): Promise<void> {
  const ask = async (path: string, init: RequestInit) => {
    const answer = await fetch(new URL(path, url), init)
    await answer.arrayBuffer()
    if (answer.status >= 300) throw new TypeError(`${init.method} ${path}: ${answer.status}`)
    return answer
  }
  const blob = async (bytes: Buffer<ArrayBuffer>) => {
    const { headers } = await ask('/v2/web/blobs/uploads/', { method: 'POST' })
    const location = headers.get('location') ?? ''
    await ask(location, { method: 'PATCH', body: bytes.subarray(0, bytes.length / 2) })
    const digest = digestOf(bytes)
    await ask(`${location}?digest=${digest}`, { method: 'PUT', body: bytes.subarray(bytes.length / 2) })
    kept.set(digest, bytes)
    return { mediaType: mediaTypes.layerGzip, digest, size: bytes.length }
  }
  try {
    for (;;) {
      const [config, ...layers] = await Promise.all([
        blob(randomBytes(200)),
        blob(randomBytes(1e6)),
        blob(randomBytes(9)),
      ])
      const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers }))
      const tag = `v${tags.size}`
      const headers = { 'content-type': mediaTypes.manifest }
      await ask(`/v2/web/manifests/${tag}`, { method: 'PUT', body: manifest, headers })
      tags.set(tag, digestOf(manifest))
    }
  } catch (error) {
    if (!(error instanceof TypeError && error.message === 'fetch failed')) throw error
  }
}

test('a server that is killed at any moment has lost nothing it said is stored, and shows nothing that is not whole', async () => {
  const directory = join(scratch.path, 'registry')
  const kept = new Map<string, Buffer>()
  const tags = new Map<string, string>()
  for (let kill = 0; kill < kills; kill += 1) {
    const { child, url } = await start(directory)
    const pushing = pushUntilGone(url, kept, tags)
    await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 250))
    child.kill('SIGKILL')
    await Promise.all([pushing, child.exitCode ?? child.signalCode ?? once(child, 'exit')])
  }
  expect(kept.size).toBeGreaterThan(0)
  for (const name of await readdir(join(directory, 'blobs', 'sha256'))) {
    if (!name.startsWith('.'))
      expect(digestOf(await readFile(join(directory, 'blobs', 'sha256', name)))).toBe(`sha256:${name}`)
  }
  await using server = await serveRegistry({ directory })
  const read = async (path: string) =>
    Buffer.from(await (await fetch(`http://${server.address}/v2/web/${path}`)).arrayBuffer())
  for (const [digest, bytes] of kept) expect(bytes.equals(await read(`blobs/${digest}`))).toBe(true)
  for (const [tag, digest] of tags) expect(digestOf(await read(`manifests/${tag}`))).toBe(digest)
}, 60_000)

test('an upload goes on after the server was killed, where the file ends', async () => {
  const directory = join(scratch.path, 'resumed')
  const bytes = randomBytes(8_000_000)
  const first = await start(directory)
  const begun = await fetch(`${first.url}/v2/web/blobs/uploads/`, { method: 'POST' })
  const location = begun.headers.get('location') ?? ''
  await fetch(first.url + location, { method: 'PATCH', body: bytes.subarray(0, 5_000_000) })
  first.child.kill('SIGKILL')
  await once(first.child, 'exit')
  await using server = await serveRegistry({ directory })
  const url = `http://${server.address}${location}`
  const range = (await fetch(url)).headers.get('range')
  expect(range).toBe('0-4999999')
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const init = { method: 'PUT', body: bytes.subarray(5_000_000), headers: { 'content-range': '5000000-7999999' } }
  expect((await fetch(`${url}?digest=${digest}`, init)).status).toBe(201)
  const answer = await fetch(`http://${server.address}/v2/web/blobs/${digest}`)
  expect(bytes.equals(Buffer.from(await answer.arrayBuffer()))).toBe(true)
})

test('a newer request takes over an upload from one that hangs', async () => {
  await using server = await serveRegistry({ directory: join(scratch.path, 'hanging') })
  const begun = await fetch(`http://${server.address}/v2/web/blobs/uploads/`, { method: 'POST' })
  const url = `http://${server.address}${begun.headers.get('location')}`
  const hanging = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('first ')) })
  const init = { method: 'PATCH', body: hanging, duplex: 'half' } as RequestInit
  const stuck = fetch(url, init).catch((error: Error) => error.message)
  await expect.poll(async () => (await fetch(url)).headers.get('range')).toBe('0-5')
  const wrong = await fetch(url, { method: 'PATCH', body: 'x', headers: { 'content-range': '0-0' } })
  expect([wrong.status, wrong.headers.get('range')]).toEqual([416, '0-5'])
  expect(await stuck).toBe('fetch failed')
  const digest = digestOf(Buffer.from('first second'))
  expect((await fetch(`${url}?digest=${digest}`, { method: 'PUT', body: 'second' })).status).toBe(201)
})

test('a folder that cannot be written is told, and the server goes on', async () => {
  const directory = join(scratch.path, 'blocked')
  await using server = await serveRegistry({ directory })
  await writeFile(directory, 'a file where the folder should be').catch(() => undefined)
  const answer = await fetch(`http://${server.address}/v2/web/blobs/uploads/`, { method: 'POST' })
  expect([answer.status, (await answer.json()) as unknown]).toEqual([
    500,
    { errors: [{ code: 'UNKNOWN', message: 'the folder could not be read or written' }] },
  ])
  expect((await fetch(`http://${server.address}/v2/`)).status).toBe(200)
})

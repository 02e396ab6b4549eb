import { randomBytes, randomUUID } from 'node:crypto'
import { type AddressInfo, connect, createServer } from 'node:net'
import { digestOf, mediaTypes } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { expect, test } from 'vitest'
import { ociRegistry } from './registry.js'
import { serveRegistry } from './server/index.js'
import { temporaryDirectory } from './testing/image.js'

// A line to a real registry that is cut once, after that many bytes.
const { KIWI_LIVE_REGISTRY = '' } = process.env
const cutAfterBytes = 12_000_000

async function cuttingProxy(host: string) {
  const [name = '', port] = host.split(':')
  const seen = { bytes: 0, cut: false }
  const server = createServer((near) => {
    const far = connect(Number(port), name)
    let sent = 0
    near.on('data', (chunk) => {
      sent += chunk.length
      seen.bytes += chunk.length
      far.write(chunk)
      if (seen.cut || sent < cutAfterBytes) return
      seen.cut = true
      near.pause()
      setTimeout(() => [far, near].forEach((socket) => void socket.destroy()), 100) // what was written has arrived
    })
    far.on('data', (chunk) => near.write(chunk))
    for (const [socket, other] of [[near, far] as const, [far, near] as const]) {
      socket.on('error', () => undefined).on('close', () => other.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: own } = server.address() as AddressInfo // it listens on a port, not on a path
  return { seen, host: `127.0.0.1:${own}`, [Symbol.asyncDispose]: async () => void server.close() }
}

async function pushThroughCut(host: string): Promise<number> {
  await using proxy = await cuttingProxy(host)
  await using registry = ociRegistry({ host: proxy.host, plainHttp: true, retry: { firstWaitMs: 50 } })
  const bytes = randomBytes(30_000_000)
  const expected = { digest: digestOf(bytes), size: bytes.byteLength }
  const repository = `kiwi-live/${randomUUID()}`
  const open = async function* (offset: number) {
    for (let at = offset; at < bytes.byteLength; at += 262_144) yield bytes.subarray(at, at + 262_144)
  }
  await registry.sink(repository).blob({ mediaType: mediaTypes.layerGzip, expected, open }, testContext())
  expect(proxy.seen.cut).toBe(true)
  await using other = ociRegistry({ host, plainHttp: true }) // remembers nothing
  expect(await other.sink(repository).has({ mediaType: mediaTypes.layerGzip, ...expected }, testContext())).toBe(true)
  return proxy.seen.bytes - bytes.byteLength
}

test('an upload that is cut goes on from there at the embedded server', async () => {
  await using directory = await temporaryDirectory()
  await using server = await serveRegistry({ directory: directory.path })
  expect(await pushThroughCut(server.address)).toBeLessThan(100_000)
})

/** 2.8.2 drops an upload whose connection was cut in the middle of a body ("upload resumed at wrong offset"): it begins anew. */
test('an upload that is cut arrives at CNCF distribution', async () => {
  expect(await pushThroughCut(KIWI_LIVE_REGISTRY)).toBeLessThan(cutAfterBytes + 1_000_000)
})

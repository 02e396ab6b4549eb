import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CompressOptions, gzip } from './gzip.js'
import { randomFrom } from './test-random.js'
import { zstd } from './zstd.js'

const { signal } = new AbortController()
const mebibyte = 1024 * 1024

/** Half words that repeat, half noise, in chunks of any size. */
async function* content(bytes: number, seed = 1, chunkBytes = 300_001): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes; at += chunkBytes) {
    const random = randomFrom(seed + at)
    const chunk = Buffer.alloc(Math.min(chunkBytes, bytes - at), `line ${at} of a layer\n`)
    chunk.set(random.bytes(Math.min(999, chunk.byteLength)))
    yield chunk
  }
}

const all = async (stream: AsyncIterable<Uint8Array>) => Buffer.concat(await Array.fromAsync(stream))
const has = (tool: string) => spawnSync(tool, ['--version']).status === 0
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

const methods = {
  gzip: { compress: gzip, expand: (bytes: Buffer) => gunzipSync(bytes), blockBytes: mebibyte },
  zstd: { compress: zstd, expand: (bytes: Buffer) => zstdDecompressSync(bytes), blockBytes: 2 * mebibyte },
}

describe.each(Object.entries(methods))('%s in blocks', (tool, { compress, expand, blockBytes }) => {
  const packed = (bytes: number, options: Partial<CompressOptions> = {}) =>
    all(compress(content(bytes), { signal, ...options }))

  it('gives back what went in, whatever its size and chunks', async () => {
    const size = fc.oneof(
      fc.integer({ min: 0, max: 70_000 }),
      fc.integer({ min: -2, max: 2 }).map((more) => blockBytes + more),
      fc.integer({ min: 0, max: 3 * mebibyte }),
    )
    const chunkBytes = fc.integer({ min: 1000, max: 2 * mebibyte })
    await fc.assert(
      fc.asyncProperty(size, fc.nat(), chunkBytes, async (bytes, seed, chunk) => {
        const whole = await all(content(bytes, seed, chunk))
        expect(expand(await all(compress(content(bytes, seed, chunk), { signal }))).equals(whole)).toBe(true)
      }),
      { numRuns: 12 },
    )
  })

  it('gives the same bytes for 1, 2 or 8 blocks at a time and for any chunks', async () => {
    const expected = sha256(await packed(9 * mebibyte + 17, { concurrency: 1 }))
    for (const concurrency of [2, 8]) expect(sha256(await packed(9 * mebibyte + 17, { concurrency }))).toBe(expected)
    const whole = await all(content(9 * mebibyte + 17))
    const once = async function* () {
      yield whole
    }
    expect(sha256(await all(compress(once(), { signal })))).toBe(expected)
  })

  it('makes a whole file of nothing', async () => {
    const bytes = await packed(0)
    expect(bytes.byteLength).toBeGreaterThan(0)
    expect(expand(bytes).byteLength).toBe(0)
  })

  it.runIf(has(tool))('is read and checked by the tool itself', async () => {
    for (const bytes of [0, 1, 5 * mebibyte + 3]) {
      const whole = await all(content(bytes))
      const input = await packed(bytes)
      execFileSync(tool, ['-t'], { input })
      const read = execFileSync(tool, ['-dc'], { input, maxBuffer: 16 * mebibyte })
      expect(sha256(read)).toBe(sha256(whole))
    }
  })

  it('is smaller at a higher level', async () => {
    const [low, high] = await Promise.all([packed(2 * mebibyte, { level: 1 }), packed(2 * mebibyte, { level: 9 })])
    expect(high.byteLength).toBeLessThan(low.byteLength)
  })

  it('holds few blocks, however much there is', async () => {
    let read = 0
    const counted = async function* () {
      const chunk = Buffer.alloc(blockBytes)
      for (; read < 40; read += 1) yield chunk
    }
    const packing = compress(counted(), { signal, concurrency: 3 })
    for (let parts = 0; parts < 3; parts += 1) await packing.next()
    expect(read).toBeLessThan(8)
    await packing.return(undefined)
    expect(read).toBeLessThan(8)
  })

  it('stops when it is aborted, and fails as its source does', async () => {
    const stop = new AbortController()
    const packing = compress(content(30 * mebibyte), { signal: stop.signal, concurrency: 2 })
    await packing.next()
    stop.abort(new Error('enough'))
    await expect(all(packing)).rejects.toThrow('enough')
    const broken = async function* () {
      yield Buffer.alloc(2 * blockBytes)
      throw new Error('the disk is gone')
    }
    await expect(all(compress(broken(), { signal }))).rejects.toThrow('the disk is gone')
  })
})

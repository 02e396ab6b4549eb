import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { InstanceLog } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openLog } from '../supervisor/log-file.js'
import { logs } from './logs.js'
import { answering, ensure, isReady, order, putNodeImage, startRuntime, until, web } from './testing.js'

const context = testContext()
const always = new AbortController().signal
let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-logs-'))
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true })
})

async function all(lines: AsyncIterable<InstanceLog>): Promise<string[]> {
  return (await Array.fromAsync(lines)).map(({ instance, stream, text }) => `${instance} ${stream}: ${text}`)
}

/** Writers whose time is given with every line. */
function writer(instance: string, limitBytes?: number) {
  const log = openLog(join(directory, `${instance}.log`), limitBytes)
  return (at: number, text: string, stream: 'out' | 'err' = 'out') => {
    vi.useFakeTimers({ now: at, toFake: ['Date'] })
    log.write(Buffer.from(text), stream)
    vi.useRealTimers()
  }
}

describe('the log of a slot', () => {
  it('has the lines of all its instances by time, and nobody else’s', async () => {
    const [one, two, other] = [writer('a-1'), writer('a-2'), writer('a-b-1')]
    one(10, 'first\n')
    two(20, 'second\n', 'err')
    one(30, 'third\nfourth\n')
    other(15, 'of another slot\n')
    two(5, 'late\n')
    one(40, 'begun')
    const lines = logs(directory, 'a', { follow: false }, always)
    expect(await all(lines)).toEqual([
      'a-1 out: first',
      'a-2 err: second',
      'a-2 out: late',
      'a-1 out: third',
      'a-1 out: fourth',
      'a-1 out: begun',
    ])
    expect(await all(logs(directory, 'a', { since: 30, follow: false }, always))).toEqual([
      'a-1 out: third',
      'a-1 out: fourth',
      'a-1 out: begun',
    ])
    expect(await all(logs(directory, 'unknown', { follow: false }, always))).toEqual([])
  })

  it('goes on over rotations and with new instances, until the signal fires', async () => {
    const stop = new AbortController()
    const write = writer('a-1', 200)
    write(1, 'line 0\n')
    const seen: string[] = []
    const following = (async () => {
      for await (const { text } of logs(directory, 'a', { follow: true }, stop.signal)) seen.push(text)
    })()
    await expect.poll(() => seen).toEqual(['line 0'])
    for (let number = 1; number <= 40; number += 1) {
      write(number + 1, `line ${number}\n`)
      if (number % 10 === 0) await expect.poll(() => seen.length).toBe(number + 1)
    }
    expect(readdirSync(directory).sort()).toEqual(['a-1.log', 'a-1.log.1'])
    expect(seen).toEqual(Array.from({ length: 41 }, (_, number) => `line ${number}`))
    writer('a-2')(99, 'another\n')
    await expect.poll(() => seen.at(-1)).toBe('another')
    stop.abort()
    await following
  })

  it('is had through the runtime, from all instances, with the time of each line', async () => {
    const runtime = await startRuntime({ isolation: 'none' })
    await runtime.claim(web, context)
    const program = `${answering('a')}; console.error('careful')`
    const before = Date.now()
    await order(runtime, ensure('a', await putNodeImage(runtime, program), { replicas: 2 }))
    await until(runtime, isReady('a', 2))
    const lines = await Array.fromAsync(runtime.logs?.(web, 'a', { follow: false }, context) ?? [])
    const told = lines.map(({ instance, stream, text }) => `${instance} ${stream}: ${text}`).sort()
    expect(told).toEqual(['a-1 err: careful', 'a-1 out: listening', 'a-2 err: careful', 'a-2 out: listening'])
    expect(lines.every(({ at = 0 }) => at >= before && at <= Date.now())).toBe(true)
  })
})

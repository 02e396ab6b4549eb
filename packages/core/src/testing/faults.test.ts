import { describe, expect, it } from 'vitest'
import type { KiwiError } from '../errors/kiwi-error.js'
import { testContext } from './context.js'
import { type Fault, type FaultScript, randomFaults, withFaults } from './faults.js'
import { memoryRegistry } from './memory-registry.js'
import { memoryRuntime } from './memory-runtime/index.js'
import { memorySource } from './memory-source.js'
import { testClock } from './test-clock.js'

const context = testContext()
const web = {
  service: 'web',
  environment: 'test',
  publish: { protocol: 'http', address: '127.0.0.1', port: 0 },
} as const
const fail = (effect: 'none' | 'done' | 'unknown'): Fault => ({ type: 'fail', code: 'RUNTIME_UNREACHABLE', effect })

describe('an adapter with faults', () => {
  it.each([
    ['none', 0],
    ['done', 1],
  ] as const)('fails the call it was told to, with effect %s, and no other', async (effect, fence) => {
    const runtime = memoryRuntime()
    const faulty = withFaults(runtime, [{ method: 'claim', nth: 1, fault: fail(effect) }])
    await expect(faulty.claim(web, context)).rejects.toMatchObject({ code: 'RUNTIME_UNREACHABLE', effect })
    expect(runtime.snapshot(web).fence).toBe(fence)
    await faulty.claim(web, context)
  })

  it('makes the call of an unknown effect for some seeds and not for others, always the same for one', async () => {
    const made = async (seed: number) => {
      const runtime = memoryRuntime()
      const faulty = withFaults(runtime, [{ method: 'claim', nth: 1, fault: fail('unknown') }], { seed })
      const error = await faulty.claim(web, context).catch((thrown: KiwiError) => thrown)
      expect(error).toMatchObject({ effect: 'unknown' })
      return runtime.snapshot(web).fence === 1
    }
    const seeds = Array.from({ length: 20 }, (_, seed) => seed)
    const first = await Promise.all(seeds.map(made))
    expect(new Set(first).size).toBe(2)
    expect(await Promise.all(seeds.map(made))).toEqual(first)
  })

  it('delays by the clock, and hangs until the signal fires', async () => {
    const clock = testClock({ at: 0, autoAdvance: true })
    const script: FaultScript = [
      { method: 'probe', nth: 1, fault: { type: 'delay', delayMs: 5_000 } },
      { method: 'probe', nth: 2, fault: { type: 'hang' } },
    ]
    const faulty = withFaults(memoryRuntime(), script, { clock })
    await faulty.probe(context)
    expect(clock.now()).toBe(5_000)
    const stop = new AbortController()
    const hanging = faulty.probe(testContext({ signal: stop.signal }))
    stop.abort(new Error('enough'))
    await expect(hanging).rejects.toThrow('enough')
  })

  it('makes a call twice and answers once', async () => {
    const runtime = memoryRuntime()
    const faulty = withFaults(runtime, [{ method: 'act', nth: 1, fault: { type: 'twice' } }])
    await faulty.claim(web, context)
    const { revision } = runtime.snapshot(web)
    await faulty.act(web, { type: 'route', revision, from: [], to: [] }, context)
    expect(runtime.acts).toHaveLength(2)
  })

  it('breaks a stream before or after its first value, and repeats values', async () => {
    const source = memorySource()
    source.commit('main', {}, { tag: 'v1' })
    const seen = async (fault: Fault) => {
      const names: string[] = []
      const refs = withFaults(source, [{ method: 'refs', nth: 1, fault }]).refs(context)
      const read = async () => {
        for await (const { name } of refs) names.push(name)
      }
      return read().then(
        () => names,
        ({ effect }: KiwiError) => [...names, effect],
      )
    }
    expect(await seen(fail('none'))).toEqual(['none'])
    expect(await seen(fail('done'))).toEqual(['main', 'done'])
    expect(await seen({ type: 'twice' })).toEqual(['main', 'main', 'v1', 'v1'])
  })

  it('reaches the ends of images', async () => {
    const fault = { type: 'fail', code: 'REGISTRY_FAILED', effect: 'none' } as const
    const told: string[] = []
    const onFault = ({ method }: { method: string }) => told.push(method)
    const registry = withFaults(memoryRegistry(), [{ method: 'sink.manifest', nth: 2, fault }], { onFault })
    const put = (text: string) =>
      registry.sink('web').manifest(Buffer.from(text), { mediaType: 'application/json' }, context)
    await put('1')
    await expect(put('2')).rejects.toMatchObject({ code: 'REGISTRY_FAILED' })
    expect(told).toEqual(['sink.manifest'])
  })
})

describe('random faults', () => {
  it('come as often as asked, of every type, and the same for the same seed', () => {
    const script = randomFaults({ seed: 7, probability: 0.3, codes: ['RUNTIME_UNREACHABLE', 'RUNTIME_FAILED'] })
    if (typeof script !== 'function') throw new Error('it is a list')
    const draw = () => Array.from({ length: 2_000 }, (_, nth) => script({ method: 'act', nth }))
    const faults = draw().filter((fault) => fault !== undefined)
    expect(faults.length).toBeGreaterThan(500)
    expect(faults.length).toBeLessThan(700)
    expect(new Set(faults.map(({ type }) => type))).toEqual(new Set(['fail', 'delay', 'twice']))
    expect(draw()).toEqual(draw())
  })
})

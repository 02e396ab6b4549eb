import { describe, expect, it } from 'vitest'
import type { Json } from '../contracts/v1/json.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { stageContext } from '../journal/context.js'
import { longKey, type Shape, shapesFrom } from './leaks/shapes.js'
import { leaks, lineWritings, shellWritings, type Writing, writingsOf } from './leaks/writings.js'
import { createRedactor, type Redactor } from './redactor.js'

/** A sample of `npm run prove -- redaction`, which does the same with many more secrets, in whole runs. */
const shapes = [...shapesFrom(seeded(7)), longKey(seeded(7))]
const shells = shellWritings(shapes.map(({ value }) => value))
const written = shapes.flatMap(({ value }, index) => [
  ...writingsOf(value),
  ...lineWritings(value).slice(0, 200),
  ...(shells[index] ?? []),
])

/** Hides nothing: what is found with it shows that these tests can fail. */
const switchedOff: Redactor = {
  add: () => undefined,
  text: (input) => input,
  json: (value) => value,
  lines: () => {
    const decoder = new TextDecoder()
    return {
      push: (chunk) => (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })),
      end: () => decoder.decode(),
    }
  },
}

function knowing(secrets: readonly Shape[]): Redactor {
  const redactor = createRedactor()
  for (const { name, value } of secrets) redactor.add(value, name)
  return redactor
}

/** How many of the writings leak, each put through `sink` on its own. */
function leaking(writings: readonly Writing[], sink: (text: string) => string): string[] {
  return writings
    .filter((writing) => leaks(writing, sink(writing.text)))
    .map(({ encoding, text }) => `${encoding}: ${text}`)
}

/** What the log says about a writing that came in two pieces, by the byte it was cut at. */
async function cutAtEveryByte(redactor: Redactor, text: string): Promise<Map<string, string>> {
  const said: string[] = []
  const context = stageContext('build', {
    lease: { runId: 'run', scope: 'scope', token: 1, workerId: 'worker' },
    signal: new AbortController().signal,
    events: {
      emit: (event) => void (event.type === 'log' && said.push(event.text)),
      progress: () => undefined,
      commit: async () => undefined,
      drained: async () => undefined,
      unsaved: () => undefined,
    },
    redactor,
    secret: () => Promise.reject(new Error('nobody asks')),
  })
  for (let cut = 0; cut <= Buffer.byteLength(text); cut++) {
    const bytes = Buffer.from(`⟦${cut}⟧${text}⟦/${cut}⟧\n`)
    const at = Buffer.byteLength(`⟦${cut}⟧`) + cut
    await context.output(bytes.subarray(0, at), { stream: 'out' })
    await context.output(bytes.subarray(at), { stream: 'out' })
  }
  context.endOutput()
  const marked = said.join('\n').matchAll(/⟦(\d+)⟧(.*?)⟦\/\1⟧/gs)
  return new Map([...marked].map(([, cut = '', body = '']) => [cut, body]))
}

describe('secrets of every shape, written in every way', () => {
  it('do not get through as text', () => {
    expect(written.length).toBeGreaterThan(1_500)
    expect(leaking(written, knowing(shapes).text)).toEqual([])
    expect(leaking(written, switchedOff.text)).toHaveLength(written.length)
  })

  it('do not get through in an error’s message, hint, evidence, its keys, and causes', () => {
    const places: Readonly<Record<string, (record: Json) => unknown>> = {
      message: (record) => field(record, 'message'),
      hint: (record) => field(record, 'hint'),
      evidence: (record) => field(field(record, 'evidence'), 'type'),
      key: (record) => Object.keys(field(record, 'evidence') as object).at(-1), // the second of the two keys below
      cause: (record) => (field(record, 'causes') as string[]).at(-1),
    }
    const through = (redactor: Redactor, place: string) => (text: string) => {
      const cause = new Error('outer', { cause: new TypeError(text) })
      const error = new KiwiError('INTERNAL', text, { hint: text, evidence: { type: text, [` ${text}`]: 1 }, cause })
      return String(places[place]?.(redactor.json(error.toRecord() as unknown as Json))) // a record is plain JSON
    }
    const some = written.filter((_, index) => index % 12 === 0)
    const redactor = knowing(shapes)
    for (const place of Object.keys(places)) {
      expect(leaking(some, through(redactor, place))).toEqual([])
      expect(leaking(some, through(switchedOff, place))).toHaveLength(some.length)
    }
  })

  it('do not get into log events, cut at every byte', async () => {
    const some = written.filter(({ text }, index) => text.length < 300 && index % 7 === 0)
    let cases = 0
    for (const redactor of [knowing(shapes), switchedOff])
      for (const writing of some) {
        const said = await cutAtEveryByte(redactor, writing.text)
        expect(said.size).toBe(Buffer.byteLength(writing.text) + 1)
        cases += said.size
        const found = [...said.values()].filter((body) => leaks(writing, body))
        expect(found.length, `${writing.encoding}: ${writing.text}`).toBe(redactor === switchedOff ? said.size : 0)
      }
    expect(cases).toBeGreaterThan(10_000)
  })
})

function field(record: unknown, name: string): unknown {
  return typeof record === 'object' && record !== null ? Reflect.get(record, name) : undefined
}

/** mulberry32 */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

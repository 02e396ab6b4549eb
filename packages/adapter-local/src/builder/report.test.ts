import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { indexCollector } from '../layers/layer-index.js'
import { layerOf } from '../layers/testing.js'
import { type Bench, bench } from './testing.js'
import { wastedBytes } from './wasted.js'

const plain = { mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 0 }

function layer(instruction: string, ...rows: readonly (readonly [name: string, size?: number])[]) {
  const collector = indexCollector()
  for (const [name, size] of rows) {
    collector.add({ ...plain, name, type: size === undefined ? 'directory' : 'file', size: size ?? 0 })
  }
  return { index: collector.finish(), instruction }
}

describe('wasted bytes', () => {
  it.each([
    ['nothing', [layer('a', ['x', 5]), layer('b', ['y', 6])], 0],
    ['a file that is overwritten', [layer('a', ['x', 5]), layer('b', ['x', 6])], 5],
    ['a file that is removed', [layer('a', ['x', 5], ['y', 7]), layer('b', ['.wh.x', 0])], 5],
    ['a directory that is removed', [layer('a', ['d/x', 5], ['d/e/y', 7], ['z', 1]), layer('b', ['.wh.d', 0])], 12],
    [
      'a directory that is made anew',
      [layer('a', ['d/x', 5]), layer('b', ['d'], ['d/.wh..wh..opq', 0], ['d/y', 2])],
      5,
    ],
    ['one that is overwritten twice', [layer('a', ['x', 5]), layer('b', ['x', 6]), layer('c', ['x', 1])], 11],
    ['one that is removed and made again', [layer('a', ['x', 5]), layer('b', ['.wh.x', 0]), layer('c', ['x', 1])], 5],
  ])('are those of %s', (_, layers, bytes) => {
    expect(wastedBytes(layers).bytes).toBe(bytes)
  })

  it('names the largest, and who hides them', () => {
    const layers = [layer('a', ['small', 5], ['large', 50]), layer('RUN rm', ['.wh.small', 0], ['.wh.large', 0])]
    expect(wastedBytes(layers).largest).toEqual([
      { path: 'large', bytes: 50, by: 'RUN rm' },
      { path: 'small', bytes: 5, by: 'RUN rm' },
    ])
  })
})

describe('the report of a build', () => {
  let at: Bench
  beforeEach(() => {
    at = bench()
  })
  afterEach(() => at[Symbol.dispose]())

  it('says what put each byte where, what each step took, and what is hidden', async () => {
    await at.base('base', [layerOf(['etc/'], ['etc/config', 'of the base'])])
    at.write({ config: 'own', 'src/a': 'a' })
    const dockerfile = 'FROM base\nENV A=1\nCOPY config /etc/config\nCOPY src /src'
    const { image, layers } = await at.build(dockerfile)
    expect(image.report?.layers).toMatchObject([
      { isOfBase: true, unpackedBytes: 11, files: 1 },
      { isOfBase: false, instruction: 'COPY config /etc/config', unpackedBytes: 3, files: 1 },
      { isOfBase: false, instruction: 'COPY src /src', unpackedBytes: 1, files: 1 },
    ])
    expect(image.report?.layers.map(({ digest }) => digest)).toEqual(layers)
    expect(image.report?.sizeBytes).toBe(image.sizeBytes)
    expect(image.report?.wasted).toEqual({
      bytes: 11,
      largest: [{ path: 'etc/config', bytes: 11, by: 'COPY config /etc/config' }],
    })
    expect(image.report?.steps.map(({ step, instruction }) => `${step} ${instruction}`)).toEqual([
      '1 FROM base',
      '2 ENV A=1',
      '3 COPY config /etc/config',
      '4 COPY src /src',
    ])
    expect(image.report?.advice).toEqual([])
    expect((await at.build(dockerfile)).image.report).toBeUndefined()
  })

  it('advises what the figures support', async () => {
    mkdirSync(join(at.directory, 'context/.git'))
    writeFileSync(join(at.directory, 'context/.git/pack'), Buffer.alloc(12 * 1024 * 1024))
    const { image } = await at.build('FROM scratch\nCOPY . /app')
    expect(image.report?.advice).toMatchObject([{ code: 'ignore-files', gainBytes: 12 * 1024 * 1024 }])
  })
})

import { mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BuildCacheEnds, type ImageSource, mediaTypes, type OciLayout, ociLayout, parseManifest } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Bench, type Built, bench } from './testing.js'

let directory: string
let registry: OciLayout
let written: ImageSource | undefined
const machines: Bench[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-registry-cache-'))
  registry = ociLayout(directory)
  written = undefined
})

afterEach(() => {
  for (const machine of machines.splice(0)) machine[Symbol.dispose]()
  rmSync(directory, { recursive: true })
})

/** A machine that has built nothing yet. */
function machine(): Bench {
  const made = bench()
  made.write({ 'package.json': '{}', 'src/a.js': 'a' })
  machines.push(made)
  return made
}

const ends: BuildCacheEnds = {
  from: [async () => written],
  get to() {
    const { sink } = registry
    const noted: typeof sink = {
      ...sink,
      async manifest(bytes, options, context) {
        const root = await sink.manifest(bytes, options, context)
        written = registry.source(root)
        return root
      },
    }
    return { sink: noted, tag: 'cache' }
  },
}

const dockerfile = `FROM scratch AS one\nCOPY package.json /\nFROM scratch\nWORKDIR /app\nCOPY --from=one /package.json .\nCOPY src .\n`
const build = (on: Bench, more: Parameters<Bench['build']>[1] = {}) => on.build(dockerfile, more, { cache: ends })
const told = ({ context }: Built) =>
  context.facts.flatMap((fact) => (fact.type === 'choice' && fact.what === 'registry cache' ? [fact.value] : []))

describe('the registry cache', () => {
  it('gives a machine that never built it every step, and the same image', async () => {
    const first = await build(machine())
    expect(Object.values(first.notes)).toEqual(Array(4).fill('first build'))
    const second = await build(machine())
    expect(Object.values(second.notes)).toEqual(Array(4).fill('registry cache'))
    expect(second.image.manifest).toEqual(first.image.manifest)
    expect([told(first), told(second)]).toEqual([[], []])
  })

  it('is kept here once it was read', async () => {
    await build(machine())
    const other = machine()
    await build(other)
    written = undefined
    expect(Object.values((await build(other)).notes)).toEqual(Array(4).fill('layer cache'))
  })

  it('has what did not change', async () => {
    await build(machine())
    const other = machine()
    other.write({ 'src/a.js': 'b' })
    expect((await build(other)).notes).toMatchObject({ '1/2': 'registry cache', '1/4': 'first build' })
  })

  it('is an image that any registry takes: known media types only, and each layer once', async () => {
    await build(machine())
    if (written === undefined) throw new TypeError('nothing was written')
    const { signal } = testContext()
    const manifest = parseManifest(await written.manifest(written.root, signal))
    expect(manifest.config.mediaType).toBe(mediaTypes.config)
    expect(new Set(manifest.layers.map(({ mediaType }) => mediaType))).toEqual(new Set([mediaTypes.layerGzip]))
    expect(new Set(manifest.layers.map(({ digest }) => digest)).size).toBe(manifest.layers.length)
  })

  it.each(['layer', 'configuration'])('is passed over, with a word, where its %s is damaged', async (which) => {
    const right = await build(machine())
    if (written === undefined) throw new TypeError('nothing was written')
    const manifest = parseManifest(await written.manifest(written.root, testContext().signal))
    const damaged = which === 'layer' ? manifest.layers.map(({ digest }) => digest) : [manifest.config.digest]
    for (const digest of damaged) truncateSync(registry.path(digest), 20)
    const built = await build(machine())
    expect(built.image.manifest).toEqual(right.image.manifest)
    expect(new Set(Object.values(built.notes))).toEqual(new Set(['first build']))
    expect(told(built)).toContain('not read')
  })

  it.each(['no registry', 'no rights'])('fails no build: %s', async (why) => {
    const fails = async () => {
      throw new Error(why)
    }
    const { sink } = registry
    const to = { sink: { ...sink, blob: fails, has: fails, retag: fails }, tag: 'cache' }
    const built = await machine().build(dockerfile, {}, { cache: { from: [fails], to } })
    expect(told(built)).toEqual(['not read', 'not written'])
  })
})

describe('a cache that is off', () => {
  it('runs every step, and keeps none', async () => {
    const on = machine()
    await build(on)
    const off = await build(on, { cache: 'off' })
    expect(Object.values(off.notes)).not.toContain('layer cache')
    const fresh = machine()
    written = undefined
    await fresh.build(dockerfile, { cache: 'off' })
    expect(Object.values((await fresh.build(dockerfile)).notes)).not.toContain('layer cache')
  })
})

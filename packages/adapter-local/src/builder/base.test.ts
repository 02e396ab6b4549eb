import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ociLayout, pipe } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { layerOf } from '../layers/testing.js'
import { type Bench, bench } from './testing.js'

const layer = layerOf(['etc/'], ['etc/passwd', 'ana:x:5:6::/:\n'])
let at: Bench
beforeEach(async () => {
  at = bench()
  await at.base('base', [layer], { Env: ['PATH=/bin'] })
})
afterEach(() => at[Symbol.dispose]())

const isHere = () => existsSync(join(at.state, 'blobs/sha256', layer.descriptor.digest.slice('sha256:'.length)))

async function giveTheSinkTheBase(): Promise<void> {
  const bases = ociLayout(join(at.directory, 'bases'))
  await pipe(bases.source(at.manifest('base')), ociLayout(join(at.directory, 'sink')).sink, {}, testContext())
}

describe('the layers of a base', () => {
  it('stay where they are when only the configuration changes and the sink has them', async () => {
    await giveTheSinkTheBase()
    const { config, layers } = await at.build('FROM base\nENV A=1\nUSER 5\nCMD ["x"]')
    expect(config.config.Env).toEqual(['PATH=/bin', 'A=1'])
    expect(layers).toEqual([layer.descriptor.digest])
    expect(isHere()).toBe(false)
  })

  it('come when the sink lacks them', async () => {
    const { layers, tree } = await at.build('FROM base\nENV A=1')
    expect(layers).toEqual([layer.descriptor.digest])
    expect(Object.keys(tree())).toContain('etc/passwd')
  })

  it('come when an instruction has to look into them', async () => {
    await giveTheSinkTheBase()
    at.write({ x: '' })
    const { tree } = await at.build('FROM base\nCOPY --chown=ana x /')
    expect(tree().x).toMatch(/^file 5:6/)
    expect(isHere()).toBe(true)
  })

  it('come once for builds that run at once', async () => {
    const both = await Promise.all(['A', 'B'].map((name) => at.build(`FROM base\nENV ${name}=1`)))
    const pulls = both.flatMap(({ context }) =>
      context.facts.filter(
        (fact) => fact.type === 'blob' && fact.digest === layer.descriptor.digest && fact.state === 'done',
      ),
    )
    expect(pulls).toHaveLength(1)
  })
})

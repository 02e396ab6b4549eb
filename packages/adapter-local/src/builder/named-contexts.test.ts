import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { layerOf } from '../layers/testing.js'
import { type Bench, bench } from './testing.js'

let at: Bench
beforeEach(() => {
  at = bench()
  at.write({
    'app/a': 'a',
    'shared/s': 's',
    'shared/skipped': '',
    'shared/.dockerignore': 'skipped',
    '.dockerignore': 's',
  })
})
afterEach(() => at[Symbol.dispose]())

const contexts = { shared: 'shared' }

describe('a named context', () => {
  it('is a directory of the source that COPY can name, with ignore rules of its own', async () => {
    const dockerfile = 'FROM scratch\nCOPY a /\nCOPY --from=shared . /s/'
    const { tree } = await at.build(dockerfile, { contextPath: 'app', contexts })
    expect(Object.keys(tree())).toEqual(['a', 's', 's/.dockerignore', 's/s'])
  })

  it('is looked at for changes like any other', async () => {
    const dockerfile = 'FROM scratch\nCOPY --from=shared . /'
    await at.build(dockerfile, { contexts })
    expect((await at.build(dockerfile, { contexts })).notes).toEqual({ 2: 'layer cache' })
    at.write({ 'shared/s': 't' })
    expect((await at.build(dockerfile, { contexts })).notes).toEqual({ 2: 's changed' })
  })

  it('gives way to a stage of its name, and comes before an image', async () => {
    await at.base('shared', [layerOf(['of-image', ''])])
    const copied = await at.build('FROM scratch\nCOPY --from=shared s /', { contexts })
    expect(Object.keys(copied.tree())).toEqual(['s'])
    const staged = await at.build('FROM scratch AS shared\nCOPY app/a /\nFROM scratch\nCOPY --from=shared / /', {
      contexts,
    })
    expect(Object.keys(staged.tree())).toEqual(['a'])
  })

  it('cannot be outside of the source, and is nothing to build on', async () => {
    symlinkSync('/etc', join(at.directory, 'context/out'))
    const copy = 'FROM scratch\nCOPY --from=x passwd /'
    await expect(at.build(copy, { contexts: { x: 'out' } })).rejects.toMatchObject({ code: 'CONTEXT_INVALID' })
    await expect(at.build(copy, { contexts: { x: '../..' } })).rejects.toMatchObject({ code: 'CONTEXT_INVALID' })
    await expect(at.build('FROM shared', { contexts })).rejects.toMatchObject({ code: 'BUILDER_UNFIT' })
  })
})

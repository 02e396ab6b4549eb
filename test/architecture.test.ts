import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const sources = (pattern: string) =>
  globSync(pattern, { cwd: root })
    .filter((path) => !/\.(?:live\.)?test\.ts$/.test(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

const importsOf = (text: string) => [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(([, name = '']) => name)

describe('adapters observe and act; core decides', () => {
  const adapters = sources('packages/adapter-*/src/**/*.ts')

  it('finds the adapters it speaks of', () => {
    expect(new Set(adapters.map(({ path }) => path.split('/')[1])).size).toBeGreaterThanOrEqual(4)
  })

  it('no runtime adapter speaks of blue-green, rollback or verdict', () => {
    const guilty = adapters.filter(({ text }) => /blue[-_ ]?green|roll[-_ ]?back|verdict/i.test(text))
    expect(guilty.map(({ path }) => path)).toEqual([])
  })
})

describe('core', () => {
  it('imports no platform SDK', () => {
    const banned = /^(?:dockerode|@kubernetes\/|undici|pg|pg-boss|@kiwi\/adapter-)/
    const guilty = sources('packages/core/src/**/*.ts').filter(({ text }) =>
      importsOf(text).some((name) => banned.test(name)),
    )
    expect(guilty.map(({ path }) => path)).toEqual([])
  })

  it('names only its own types in its contracts', () => {
    const guilty = sources('packages/core/src/contracts/**/*.ts').filter(({ text }) =>
      importsOf(text).some((name) => !name.startsWith('.')),
    )
    expect(guilty.map(({ path }) => path)).toEqual([])
  })

  it('asks only the clock for the time', () => {
    const guilty = sources('packages/core/src/**/*.ts').filter(
      ({ path, text }) =>
        !/core\/src\/(?:clock\.ts|testing\/)/.test(path) && /Date\.now|new Date\(\)|setTimeout|setInterval/.test(text),
    )
    expect(guilty.map(({ path }) => path)).toEqual([])
  })

  it('keeps the rollout pure but for its loop and the stream it reads', () => {
    const pure = sources('packages/core/src/{rollout,verdict}/**/*.ts').filter(
      ({ path }) => !/(?:loop|latest)\.ts$/.test(path),
    )
    const guilty = pure.filter(({ text }) => /\bawait\b|\basync\b|Math\.random|process\.[a-z]/.test(text))
    expect(guilty.map(({ path }) => path)).toEqual([])
  })
})

describe('wizard', () => {
  it('imports nothing of ours', () => {
    const guilty = sources('packages/wizard/src/**/*.ts').filter(({ text }) =>
      importsOf(text).some((name) => name.startsWith('@kiwi/')),
    )
    expect(guilty.map(({ path }) => path)).toEqual([])
  })
})

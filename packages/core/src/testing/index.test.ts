import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

it('needs no test runner', () => {
  const sources = globSync('**/*.ts', { cwd: import.meta.dirname }).filter((path) => !path.endsWith('.test.ts'))
  expect(sources.length).toBeGreaterThan(20)
  const packages = sources.flatMap((path) =>
    [...readFileSync(join(import.meta.dirname, path), 'utf8').matchAll(/(?:from|import)\s*\(?'([^.'][^']*)'/g)].map(
      ([, name]) => name,
    ),
  )
  expect(packages.filter((name) => !name?.startsWith('node:'))).toEqual([])
})

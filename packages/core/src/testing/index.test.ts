import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

it('needs no test runner', () => {
  const sources = globSync('**/*.ts', { cwd: import.meta.dirname }).filter((path) => !path.endsWith('.test.ts'))
  expect(sources.length).toBeGreaterThan(20)
  const imports = sources.flatMap((path) => {
    const text = readFileSync(join(import.meta.dirname, path), 'utf8')
    return [...text.matchAll(/^(?:import|export|\}) (?:.* )?from '([^']+)'$/gm)].map(([, name = '']) => name)
  })
  expect(imports.length).toBeGreaterThan(100)
  expect(imports.filter((name) => !/^(?:node:|\.)/.test(name))).toEqual([])
})

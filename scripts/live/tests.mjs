import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { inRoot, root } from '../setup/paths.mjs'
import { parts } from './parts.mjs'

const patterns = [
  'packages/*/{src,test}/**/*.live.test.ts',
  '{test,examples}/**/*.live.test.ts',
  '{packages/*/,}test/live/**/*.ts',
]

function text() {
  const files = globSync(patterns, { cwd: root, exclude: (path) => path.includes('node_modules') })
  return files.map((file) => readFileSync(inRoot(file), 'utf8')).join('\n')
}

/** The names of the parts whose variables the live tests read. */
export function neededParts() {
  const read = text()
  return parts.filter(({ variables }) => variables.some((variable) => read.includes(variable))).map(({ name }) => name)
}

/** The base images that the live tests name and the testbed can make. */
export function neededImages() {
  const read = text()
  const known = execFileSync(inRoot('testbed/images'), ['--list'], { encoding: 'utf8' }).trim().split('\n')
  return known.filter((name) => read.includes(name))
}

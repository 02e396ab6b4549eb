import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { inRoot, root } from '../setup/paths.mjs'
import { parts } from './parts.mjs'

/** The names of the parts whose variables the live tests read. */
export function neededParts() {
  const text = liveTestText()
  return parts.filter(({ variables }) => variables.some((variable) => text.includes(variable))).map(({ name }) => name)
}

/** The base images that the live tests name and the testbed can make. */
export function neededImages() {
  const text = liveTestText()
  const known = execFileSync(inRoot('testbed/images'), ['--list'], { encoding: 'utf8' }).trim().split('\n')
  return known.filter((name) => text.includes(name))
}

/** The live tests and the helpers beside them; what they import from a package's sources is not theirs. */
function liveTestText() {
  const tests = globSync(['packages/*/{src,test}/**/*.live.test.ts', '{test,examples}/**/*.live.test.ts'], {
    cwd: root,
  })
  /** @type {Map<string, string>} */
  const read = new Map()
  for (const test of tests) readWithHelpers(inRoot(test), read)
  return [...read.values()].join('\n')
}

/**
 * @param {string} path
 * @param {Map<string, string>} read
 */
function readWithHelpers(path, read) {
  if (read.has(path) || !existsSync(path)) return
  const text = readFileSync(path, 'utf8')
  read.set(path, text)
  for (const [, specifier = ''] of text.matchAll(/from '(\.[^']+)\.js'/g)) {
    const imported = `${join(dirname(path), specifier)}.ts`
    if (/\/test\//.test(imported) || /live/.test(specifier)) readWithHelpers(imported, read)
  }
}

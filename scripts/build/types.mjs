import { execFile } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { inRoot } from '../setup/paths.mjs'
import { replaceFiles } from './replace.mjs'

/** @typedef {import('./packages.mjs').Package} Package */

/**
 * Writes the declarations of each package, after those of the packages that it imports: here types resolve as they do for
 * a user, through the exports of what is built.
 * @param {Package[]} stale
 */
export async function buildTypes(stale) {
  /** @type {Map<string, Promise<void>>} */
  const running = new Map()
  /** @type {(one: Package) => Promise<void>} */
  const start = (one) => {
    const known = running.get(one.name)
    if (known) return known
    const first = stale.filter(({ name }) => one.manifest.dependencies?.[name])
    const work = Promise.all(first.map(start)).then(() => declare(one))
    running.set(one.name, work)
    return work
  }
  await Promise.all(stale.map(start))
}

/** @param {Package} one */
async function declare({ name, directory, entries }) {
  const work = `${directory}/.kiwi`
  mkdirSync(`${work}/types`, { recursive: true })
  const configuration = {
    extends: '../tsconfig.json',
    compilerOptions: { noEmit: false, emitDeclarationOnly: true, rootDir: '../src', outDir: 'types', paths: {} },
    include: ['../src'],
    exclude: ['../src/**/*.test.ts', '../src/**/testing.ts'],
  }
  writeFileSync(`${work}/tsconfig.json`, JSON.stringify(configuration))
  try {
    await promisify(execFile)(inRoot('node_modules/.bin/tsc'), ['-p', work], { cwd: directory })
  } catch (error) {
    const { stdout } = /** @type {{ stdout?: string }} */ (error)
    throw new Error(`the declarations of ${name} cannot be written:\n${stdout || error}`)
  }
  removeUnreachable(`${work}/types`, Object.values(entries))
  replaceFiles(`${work}/types`, `${directory}/dist`, /\.d\.ts$/)
  rmSync(work, { recursive: true })
}

/**
 * Only what an entry leads to is published: the rest names test helpers and libraries that are bundled in.
 * @param {string} types
 * @param {string[]} sources of the entries, below the package (`src/index.ts`)
 */
function removeUnreachable(types, sources) {
  const reached = new Set()
  const waiting = sources.map((source) => join(types, source.replace(/^src\//, '').replace(/\.ts$/, '.d.ts')))
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file) || !existsSync(file)) continue
    reached.add(file)
    const imports = readFileSync(file, 'utf8').matchAll(/(?:from |import\()['"](\.[^'"]+)\.js['"]/g)
    waiting.push(...[...imports].map(([, path = '']) => join(dirname(file), `${path}.d.ts`)))
  }
  for (const path of globSync('**/*.d.ts', { cwd: types }))
    if (!reached.has(join(types, path))) rmSync(join(types, path))
}

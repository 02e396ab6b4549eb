import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { inRoot, stateDirectory } from '../setup/paths.mjs'

/**
 * @typedef {object} Package one that has sources
 * @property {string} name `@kiwi/core`
 * @property {string} directory its folder
 * @property {Record<string, any>} manifest its package.json
 * @property {Record<string, string>} entries output name without extension -> source path below the folder
 * @property {Record<Part, string>} fingerprints of all that its built files are made from; types depend on other packages
 */
/** @typedef {'javascript' | 'types'} Part */

/** @returns {Package[]} in the order of their names */
export function listPackages() {
  const common = createHash('sha256')
  for (const path of ['tsconfig.base.json', 'package-lock.json', ...buildScripts()])
    hashFile(common, inRoot(path), path)
  const seed = common.digest('hex')
  const packages = readdirSync(inRoot('packages'))
    .sort()
    .map((name) => inRoot(`packages/${name}`))
    .filter((directory) => existsSync(`${directory}/package.json`) && existsSync(`${directory}/src/index.ts`))
    .map((directory) => readPackage(directory, seed))
  return packages.map((one) => ({
    ...one,
    fingerprints: { javascript: one.sources, types: withImported(one, packages) },
  }))
}

/**
 * @param {Omit<Package, 'fingerprints'> & { sources: string }} one
 * @param {(Omit<Package, 'fingerprints'> & { sources: string })[]} packages
 * @returns {string}
 */
function withImported(one, packages) {
  const imported = packages.filter(({ name }) => one.manifest.dependencies?.[name])
  return [one.sources, ...imported.map((other) => withImported(other, packages))].join(' ')
}

/**
 * @param {string} directory
 * @param {string} seed
 */
function readPackage(directory, seed) {
  const manifest = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8'))
  const hash = createHash('sha256').update(seed)
  hashFile(hash, `${directory}/package.json`, 'package.json')
  for (const path of sourcesIn(`${directory}/src`)) hashFile(hash, path, path.slice(directory.length))
  return {
    name: manifest.name,
    directory,
    manifest,
    entries: entriesOf(directory, manifest),
    sources: hash.digest('hex').slice(0, 16),
  }
}

/**
 * What a package builds: every module it exports or has as a command, and those that `kiwi.entries` in its package.json
 * names (`supervisor/main`: a file that is started, not imported).
 * @param {string} directory
 * @param {Record<string, any>} manifest
 */
function entriesOf(directory, manifest) {
  const exported = Object.values(manifest.exports ?? {}).map((target) => target?.default ?? target)
  const commands = typeof manifest.bin === 'string' ? [manifest.bin] : Object.values(manifest.bin ?? {})
  const built = [...exported, ...commands]
    .filter((path) => typeof path === 'string' && /^(\.\/)?dist\/.*\.js$/.test(path))
    .map((path) => path.replace(/^(\.\/)?dist\//, '').replace(/\.js$/, ''))
  const names = new Set([...built, ...(manifest.kiwi?.entries ?? [])])
  return Object.fromEntries(
    [...names].map((name) => [name, `src/${name}.ts`]).filter(([, source]) => existsSync(`${directory}/${source}`)),
  )
}

/**
 * @param {string} directory
 * @returns {string[]}
 */
function sourcesIn(directory) {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !/\.test\.ts$/.test(entry.name))
    .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`)
    .sort()
}

function buildScripts() {
  return readdirSync(inRoot('scripts/build'))
    .sort()
    .map((name) => `scripts/build/${name}`)
}

/**
 * @param {import('node:crypto').Hash} hash
 * @param {string} path
 * @param {string} name
 */
function hashFile(hash, path, name) {
  if (existsSync(path)) hash.update(`\n${name}\n`).update(readFileSync(path))
}

const recordFile = `${stateDirectory}/build.json`

/** @returns {Record<string, string>} `javascript @kiwi/core` -> fingerprint */
function readRecord() {
  try {
    return JSON.parse(readFileSync(recordFile, 'utf8'))
  } catch {
    return {}
  }
}

/**
 * The packages whose built files are older than their sources, or gone.
 * @param {Package[]} packages
 * @param {Part} part
 */
export function stalePackages(packages, part) {
  const record = readRecord()
  const extension = part === 'javascript' ? 'js' : 'd.ts'
  return packages.filter(
    ({ name, directory, entries, fingerprints }) =>
      record[`${part} ${name}`] !== fingerprints[part] ||
      Object.keys(entries).some((entry) => !existsSync(`${directory}/dist/${entry}.${extension}`)),
  )
}

/**
 * @param {Package[]} packages
 * @param {Part} part
 */
export function recordBuilt(packages, part) {
  const record = {
    ...readRecord(),
    ...Object.fromEntries(packages.map((one) => [`${part} ${one.name}`, one.fingerprints[part]])),
  }
  mkdirSync(stateDirectory, { recursive: true })
  writeFileSync(recordFile, `${JSON.stringify(record, undefined, 2)}\n`)
}

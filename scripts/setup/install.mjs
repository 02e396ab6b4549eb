import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { inRoot } from './paths.mjs'
import { withProgress } from './progress.mjs'
import { runLogged } from './run.mjs'

const stampFile = inRoot('node_modules/.setup-stamp')

/** True when node_modules is what the lockfile and every package.json ask for. */
export function isInstalled() {
  const wanted = fingerprint()
  if (read(stampFile) === wanted) return true
  if (!matchesLock()) return false
  writeFileSync(stampFile, wanted) // somebody ran npm by hand, or changed what npm does not care about
  return true
}

export async function install() {
  const { command, first } = npm()
  const args = [...first, 'ci', '--no-audit', '--no-fund', '--include=dev', '--include=optional']
  await withProgress('installing dependencies', () => runLogged('install', command, args))
  writeFileSync(stampFile, fingerprint())
}

/** The npm that started us, with the Node that it runs on: the one in node_modules is about to be replaced. */
function npm() {
  const { npm_execpath: script = '', npm_node_execpath: node = process.execPath } = process.env
  return /npm.*\.js$/.test(script) ? { command: node, first: [script] } : { command: 'npm', first: [] }
}

function fingerprint() {
  const hash = createHash('sha256')
  for (const path of ['package-lock.json', 'package.json', ...manifests()])
    hash.update(`${path}\n${read(inRoot(path))}\n`)
  return hash.digest('hex')
}

/** package.json of every workspace, as paths below the root */
function manifests() {
  return readdirSync(inRoot('packages'))
    .sort()
    .map((name) => `packages/${name}/package.json`)
    .filter((path) => read(inRoot(path)) !== undefined)
}

/** Compares npm's own record of what it installed with the lockfile, and the lockfile with every package.json. */
function matchesLock() {
  const installed = packagesOf('node_modules/.package-lock.json')
  const locked = packagesOf('package-lock.json')
  if (!installed || !locked) return false
  const modules = Object.entries(locked).filter(([path]) => path.includes('node_modules/'))
  return modules.every(([path, entry]) => sameModule(entry, installed[path])) && ['', ...manifests()].every(isLocked)

  /** @param {string} manifest */
  function isLocked(manifest) {
    const text = read(inRoot(manifest || 'package.json'))
    const entry = locked?.[manifest.replace(/\/package\.json$/, '')]
    return text !== undefined && entry !== undefined && sameDependencies(JSON.parse(text), entry)
  }
}

/**
 * @typedef {Record<string, unknown> & { version?: string, resolved?: string, integrity?: string, optional?: boolean, devOptional?: boolean }} LockEntry
 * @param {LockEntry} wanted
 * @param {LockEntry | undefined} found
 */
function sameModule(wanted, found) {
  if (!found) return wanted.optional === true || wanted.devOptional === true // for another kind of machine
  return wanted.version === found.version && wanted.integrity === found.integrity && wanted.link === found.link
}

/**
 * @param {Record<string, unknown>} manifest
 * @param {LockEntry} entry
 */
function sameDependencies(manifest, entry) {
  const kinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies', 'workspaces']
  return kinds.every((kind) => sorted(manifest[kind]) === sorted(entry[kind]))
}

/** @param {unknown} value */
function sorted(value) {
  return JSON.stringify(Object.entries(value ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/**
 * @param {string} path
 * @returns {Record<string, LockEntry> | undefined}
 */
function packagesOf(path) {
  const text = read(inRoot(path))
  return text === undefined ? undefined : JSON.parse(text).packages
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

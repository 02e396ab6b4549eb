import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { delimiter } from 'node:path'
import { inRoot } from './paths.mjs'
import { SetupError } from './run.mjs'

const needed = { major: 22, minor: 19 }

/** The Node to run everything with: the one that the lockfile brings, else this one, else the first good one in PATH. */
export function findNode() {
  const inPath = (process.env.PATH ?? '').split(delimiter).map((directory) => `${directory}/node`)
  const brought = inRoot(`node_modules/node-linux-${process.arch}/bin/node`) // older npm does not link it into .bin
  return [inRoot('node_modules/.bin/node'), brought, process.execPath, ...inPath].find(isGood)
}

/** Asks for Node while nothing has been downloaded yet, where the lockfile cannot bring one. */
export function refuseWithoutNode() {
  const brought = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch) && isGlibc()
  if (!brought && !findNode()) throw missingNode()
}

export function missingNode() {
  return new SetupError(
    `Kiwi needs Node ${needed.major}.${needed.minor} or newer and this is ${process.version} on ${process.platform}-${process.arch}: ` +
      'install it (https://nodejs.org) and give the same command again.',
  )
}

/** @param {string} path */
function isGood(path) {
  if (!existsSync(path)) return false
  const version = realpathSync(path) === realpathSync(process.execPath) ? process.version : versionOf(path)
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  return major > needed.major || (major === needed.major && minor >= needed.minor)
}

/** @param {string} path */
function versionOf(path) {
  return spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? ''
}

function isGlibc() {
  const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport())
  return header.glibcVersionRuntime !== undefined
}

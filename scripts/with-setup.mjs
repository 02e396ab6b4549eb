// Makes a fresh clone ready (dependencies, built packages), then runs a script with a Node that is new enough:
//   node scripts/with-setup.mjs [SCRIPT [ARGUMENT...]]
// Runs on any Node from 20 on and imports nothing that has to be installed. Does nothing that is done already.
import { delimiter, dirname } from 'node:path'
import { listPackages, stalePackages } from './build/packages.mjs'
import { install, isInstalled } from './setup/install.mjs'
import { withLock } from './setup/lock.mjs'
import { findNode, missingNode, refuseWithoutNode } from './setup/node.mjs'
import { inRoot } from './setup/paths.mjs'
import { withProgress } from './setup/progress.mjs'
import { runForeground, runLogged, SetupError } from './setup/run.mjs'
import { bringTools, rememberTools } from './setup/tools.mjs'

try {
  const node = await setUp()
  const [script, ...args] = process.argv.slice(2)
  if (script) process.exitCode = await runForeground(node, [script, ...args], environment(node))
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}

/** @returns {Promise<string>} the Node to run with */
async function setUp() {
  if (!isInstalled() || isStale()) {
    refuseWithoutNode()
    await withLock(prepare)
  }
  const node = findNode()
  if (!node) throw missingNode()
  return node
}

async function prepare() {
  const tools = bringTools()
  if (!isInstalled()) await install()
  await tools
  rememberTools()
  const node = findNode()
  if (!node) throw missingNode()
  if (isStale()) await withProgress('building packages', () => buildJavaScript(node))
}

function isStale() {
  return stalePackages(listPackages(), 'javascript').length > 0
}

/** @param {string} node */
function buildJavaScript(node) {
  return runLogged('build', node, [inRoot('scripts/build.mjs'), '--javascript', '--locked'], { env: environment(node) })
}

/** @param {string} node found first by whatever runs `node` */
function environment(node) {
  const path = [dirname(node), inRoot('node_modules/.bin'), process.env.PATH].join(delimiter)
  return { ...process.env, PATH: path, KIWI_SETUP_DONE: '1' }
}

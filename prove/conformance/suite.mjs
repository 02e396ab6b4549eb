import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveRegistry } from '@kiwi/adapter-registry'

const script = join(import.meta.dirname, '..', '..', 'testbed', 'oci-conformance')

/**
 * Runs the suite against a new registry and returns its junit.xml. Rejects when there is none; failed tests are in it.
 * @param {{ version: string, signIn: boolean, signal: AbortSignal }} options
 */
export async function runSuite({ version, signIn, signal }) {
  const home = await mkdtemp(join(tmpdir(), 'kiwi-prove-conformance-'))
  const username = 'suite'
  const password = randomUUID()
  try {
    await using server = await serveRegistry({
      directory: join(home, 'registry'),
      ...(signIn && { signIn: { users: { [username]: password } } }),
    })
    const results = join(home, 'results')
    const output = await run([`http://${server.address}`], signal, {
      OCI_VERSION: version,
      OCI_RESULTS_DIR: results,
      OCI_API_BLOBS_UPLOAD_CANCEL: 'true', // which 1.1 leaves to the registry
      ...(signIn && { OCI_USERNAME: username, OCI_PASSWORD: password }),
    })
    return await readFile(join(results, 'junit.xml'), 'utf8').catch(() => {
      throw new Error(`the suite has left no result: ${output}`)
    })
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

/**
 * @param {string[]} args
 * @param {AbortSignal} signal
 * @param {Record<string, string>} variables
 * @returns {Promise<string>} what it printed last
 */
async function run(args, signal, variables) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('OCI_'))
  const env = { ...Object.fromEntries(inherited), ...variables }
  const child = spawn(script, args, { env, stdio: ['ignore', 'pipe', 'pipe'], signal })
  let output = ''
  const keep = (/** @type {Buffer} */ bytes) => {
    output += bytes
  }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', keep)
  await new Promise((resolve, reject) => void child.once('close', resolve).once('error', reject))
  return output.slice(-500)
}

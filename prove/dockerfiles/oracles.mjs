import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readLayout, readSaved } from './image.mjs'

const run = promisify(execFile)
const testbed = process.env.KIWI_TESTBED_DIR ?? '/var/tmp/kiwi-testbed'
const buildctl = join(testbed, 'bin/buildctl')
const buildkitAddress = `unix://${testbed}/buildkit.sock`
const dockerEnv = { ...process.env, DOCKER_HOST: `unix://${testbed}/docker.sock`, DOCKER_BUILDKIT: '0' }

/**
 * @typedef {object} Oracle
 * @property {(signal: AbortSignal) => Promise<string>} version
 * @property {(entry: import('./entry.mjs').Entry, context: string, signal: AbortSignal) => Promise<import('./image.mjs').Outcome>} build
 */

/** @type {Record<string, Oracle>} */
export const oracles = {
  buildkit: {
    version: async (signal) => {
      const args = ['--addr', buildkitAddress, 'debug', 'info', '--format', '{{.BuildkitVersion}}']
      return (await run(buildctl, args, { signal })).stdout
    },
    build: (entry, context, signal) =>
      inFolder(async (folder) => {
        const options = [
          ...(entry.target === undefined ? [] : [`target=${entry.target}`]),
          ...Object.entries(entry.args ?? {}).map(([name, value]) => `build-arg:${name}=${value}`),
        ]
        const flags = options.flatMap((option) => ['--opt', option])
        const local = ['context', 'dockerfile'].flatMap((name) => ['--local', `${name}=${context}`])
        const output = `type=oci,tar=false,dest=${folder}/out`
        await run(
          buildctl,
          [
            '--addr',
            buildkitAddress,
            'build',
            '--no-cache',
            '--frontend',
            'dockerfile.v0',
            ...local,
            ...flags,
            '--output',
            output,
          ],
          { signal },
        )
        return readLayout(join(folder, 'out'))
      }),
  },
  docker: {
    version: async (signal) => {
      const options = { signal, env: dockerEnv }
      return (await run('docker', ['version', '--format', '{{.Server.Version}}'], options)).stdout
    },
    build: (entry, context, signal) =>
      inFolder(async (folder) => {
        const options = { signal, env: dockerEnv }
        const tag = `kiwi-prove-${entry.name.toLowerCase()}`
        await run('docker', ['build', '-q', '--no-cache', '--force-rm', '-t', tag, ...flagsOf(entry), context], options)
        await run('docker', ['save', '-o', join(folder, 'saved.tar'), tag], options)
        await run('docker', ['rmi', tag], options)
        mkdirSync(join(folder, 'saved'))
        await run('tar', ['-xf', join(folder, 'saved.tar'), '-C', join(folder, 'saved')], { signal })
        return readSaved(join(folder, 'saved'))
      }),
  },
  buildah: {
    version: async (signal) => (await run('buildah', ['--version'], { signal })).stdout,
    build: (entry, context, signal) =>
      inFolder(async (folder) => {
        const registries = join(folder, 'registries.conf')
        const mirror = 'prefix = "docker.io"\nlocation = "127.0.0.1:5000"\ninsecure = true'
        writeFileSync(registries, `unqualified-search-registries = ["docker.io"]\n[[registry]]\n${mirror}\n`)
        const options = { signal, env: { ...process.env, CONTAINERS_REGISTRIES_CONF: registries } }
        const storage = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs']
        const how = ['--quiet', '--isolation', 'chroot', '--layers', '--no-cache', '--timestamp', '1750000000']
        await run('buildah', ['bud', ...storage, ...how, '-t', 'localhost/made', ...flagsOf(entry), context], options)
        await run('buildah', ['push', ...storage, '--quiet', 'localhost/made', `oci:${folder}/out:made`], options)
        return readLayout(join(folder, 'out'))
      }),
  },
}

/** @param {import('./entry.mjs').Entry} entry */
function flagsOf({ args = {}, target }) {
  const named = Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`])
  return target === undefined ? named : [...named, '--target', target]
}

/**
 * @param {(folder: string) => Promise<import('./image.mjs').Outcome>} build
 * @returns {Promise<import('./image.mjs').Outcome>}
 */
async function inFolder(build) {
  const folder = mkdtempSync(join(tmpdir(), 'kiwi-oracle-'))
  try {
    return await build(folder)
  } catch (error) {
    if (!(error instanceof Error) || !('stderr' in error) || error.name === 'AbortError') throw error
    const said = String(error.stderr).trim()
    // What is wrong with the testbed says nothing about a Dockerfile.
    if (/connection refused|cannot connect|no space left|context deadline/i.test(said)) throw error
    const kind = /exit code|non-zero code|exit status|while running runtime/i.test(said) ? 'command' : 'refused'
    return { outcome: 'fails', kind, message: said.split('\n').slice(-2).join(' ').slice(-300) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

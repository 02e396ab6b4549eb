// Who pushes and pulls, each as the command that its users type.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { testbedScript } from '../testbed.mjs'

/** @typedef {{ host: string, repository: string, tag: string }} Place */
/** @typedef {{ home: string, layout: string, crane: string, docker: string, upstream: string }} Bench */

const kiwi = [process.execPath, join(import.meta.dirname, 'kiwi.mjs')]

/**
 * @param {string} home
 * @returns {Bench}
 */
export function peers(home) {
  testbedScript('registry-up')
  const docker = testbedScript('docker-up').replace('DOCKER_HOST=', '')
  return {
    home,
    layout: join(home, 'layout'),
    crane: testbedScript('tool', 'crane'),
    docker,
    upstream: '127.0.0.1:5000',
  }
}

/** Those that compress; docker pushes what its own store holds, in gzip alone. */
export const compressing = {
  gzip: ['kiwi gzip', 'skopeo gzip', 'buildah gzip', 'docker gzip'],
  zstd: ['kiwi zstd', 'skopeo zstd', 'buildah zstd'],
}

/**
 * @param {string} who
 * @param {Bench} bench
 * @param {Place} place
 * @returns {string[]} the command
 */
export function pushCommand(who, bench, { host, repository, tag }) {
  const [tool = '', method = ''] = who.split(' ')
  const to = `${host}/${repository}:${tag}`
  switch (tool) {
    case 'kiwi':
      return [...kiwi, 'push', bench.layout, host, repository, tag, method]
    case 'crane':
      return [bench.crane, 'push', '--insecure', bench.layout, to]
    case 'docker':
      return ['docker', '--host', bench.docker, 'push', '--quiet', to]
    case 'buildah':
      return [...buildah(bench), 'push', '--quiet', ...flags('', method), to, `docker://${to}`]
    default:
      return ['skopeo', 'copy', '--quiet', ...flags('dest-', method), `oci:${bench.layout}:latest`, `docker://${to}`]
  }
}

/**
 * Puts the image into the store of those that push from one, which is not measured.
 * @param {string} who
 * @param {Bench} bench
 * @param {Place} place
 */
export function load(who, bench, { host, repository, tag }) {
  const [tool] = who.split(' ')
  const name = `${host}/${repository}:${tag}`
  const { home, layout, docker } = bench
  const copy = (/** @type {string[]} */ ...to) =>
    execFileSync('skopeo', ['copy', '--quiet', `oci:${layout}:latest`, ...to], { stdio: ['ignore', 'ignore', 'pipe'] })
  if (tool === 'docker') copy('--dest-daemon-host', docker, `docker-daemon:${name}`)
  if (tool === 'buildah') copy(`containers-storage:[vfs@${home}/buildah+${home}/buildah-run]${name}`)
}

/**
 * Takes it out again: the next image is a new one, and the disk is not ours alone.
 * @param {string} who
 * @param {Bench} bench
 * @param {Place} place
 */
export function unload(who, bench, { host, repository, tag }) {
  const [tool] = who.split(' ')
  if (tool === 'docker') execFileSync('docker', ['--host', bench.docker, 'rmi', `${host}/${repository}:${tag}`])
  if (tool === 'buildah') execFileSync('buildah', [...buildah(bench).slice(1), 'rmi', '--all', '--force'])
}

/**
 * @param {Bench} bench
 * @param {Place} place
 * @returns {Record<string, string[]>} into the folder `pulled`
 */
export function pullCommands({ home, crane }, { host, repository, tag }) {
  const to = join(home, 'pulled')
  const from = `${host}/${repository}:${tag}`
  return {
    kiwi: [...kiwi, 'pull', to, host, repository, tag],
    skopeo: ['skopeo', 'copy', '--quiet', '--src-tls-verify=false', `docker://${from}`, `oci:${to}:latest`],
    crane: [crane, 'pull', '--insecure', '--format=oci', from, to],
  }
}

/** @param {Bench} bench */
function buildah({ home }) {
  const store = ['--root', join(home, 'buildah'), '--runroot', join(home, 'buildah-run'), '--storage-driver', 'vfs']
  return ['buildah', ...store]
}

/**
 * @param {string} prefix
 * @param {string} method
 */
function flags(prefix, method) {
  const compression = prefix
    ? [`--dest-compress-format=${method}`, '--dest-compress']
    : [`--compression-format=${method}`]
  return [`--${prefix}tls-verify=false`, ...compression]
}

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { findCommand } from '../setup/tools.mjs'
import { accepts, engineAnswers, statusOf } from './answers.mjs'

/**
 * A real thing that live tests run against.
 * @typedef {object} Part
 * @property {string} name as in KIWI_REQUIRE
 * @property {string[]} variables that tell tests where it is; a test that needs an unset one skips
 * @property {() => Promise<Record<string, string> | undefined>} find their values, undefined when the machine has none running
 * @property {() => string | undefined} named what the environment names: used or found missing, but never replaced
 * @property {string} [script] of the testbed that starts one, and ends it when called with `stop`
 */

const state = process.env.KIWI_TESTBED_DIR ?? '/var/tmp/kiwi-testbed'
const clusterState = process.env.KUBE_TESTBED_DIR ?? '/var/tmp/kube-testbed'

/** @type {Part[]} in the order in which they are started: the engines pull from the registry */
export const parts = [
  {
    name: 'registry',
    variables: ['KIWI_LIVE_REGISTRY', 'KIWI_LIVE_REGISTRY_PASSWORD', 'KIWI_LIVE_REGISTRY_TOKEN'],
    named: () => process.env.KIWI_LIVE_REGISTRY,
    find: findRegistry,
    script: 'registry-up',
  },
  {
    name: 'docker',
    variables: ['KIWI_LIVE_DOCKER_HOST'],
    named: () => process.env.KIWI_LIVE_DOCKER_HOST ?? process.env.DOCKER_HOST,
    find: () => findEngine('KIWI_LIVE_DOCKER_HOST', 'DOCKER_HOST', ['docker.sock', '/var/run/docker.sock']),
    script: 'docker-up',
  },
  {
    name: 'podman',
    variables: ['KIWI_LIVE_PODMAN_HOST'],
    named: () => process.env.KIWI_LIVE_PODMAN_HOST ?? process.env.CONTAINER_HOST,
    find: () => findEngine('KIWI_LIVE_PODMAN_HOST', 'CONTAINER_HOST', ['podman.sock', '/run/podman/podman.sock']),
    script: 'podman-up',
  },
  {
    name: 'kubernetes',
    variables: ['KIWI_LIVE_KUBECONFIG'],
    named: () => process.env.KIWI_LIVE_KUBECONFIG ?? process.env.KUBECONFIG,
    find: findCluster,
    script: 'kube-up',
  },
  {
    name: 'postgres',
    variables: ['KIWI_LIVE_DATABASE_URL'],
    named: () => process.env.KIWI_LIVE_DATABASE_URL ?? process.env.DATABASE_URL,
    find: findDatabase,
    script: 'postgres-up',
  },
  { name: 'git', variables: ['KIWI_LIVE_GIT'], named: () => process.env.KIWI_LIVE_GIT, find: findGit },
  {
    name: 'chromium',
    variables: ['KIWI_LIVE_CHROMIUM'],
    named: () => process.env.KIWI_LIVE_CHROMIUM,
    find: findChromium,
  },
]

async function findRegistry() {
  const named = process.env.KIWI_LIVE_REGISTRY
  if (named) {
    const { KIWI_LIVE_REGISTRY_PASSWORD: password, KIWI_LIVE_REGISTRY_TOKEN: token } = process.env
    const more = {
      ...(password && { KIWI_LIVE_REGISTRY_PASSWORD: password }),
      ...(token && { KIWI_LIVE_REGISTRY_TOKEN: token }),
    }
    return (await statusOf(`http://${named}/v2/`)) === 200 ? { KIWI_LIVE_REGISTRY: named, ...more } : undefined
  }
  const answers = await Promise.all([5000, 5001, 5002].map((port) => statusOf(`http://127.0.0.1:${port}/v2/`)))
  if (answers.join() !== '200,401,401') return undefined // another program may sit on such a port: all three, or none
  return {
    KIWI_LIVE_REGISTRY: '127.0.0.1:5000',
    KIWI_LIVE_REGISTRY_PASSWORD: '127.0.0.1:5001',
    KIWI_LIVE_REGISTRY_TOKEN: '127.0.0.1:5002',
  }
}

/**
 * @param {string} variable
 * @param {string} usual the variable that its own clients read
 * @param {string[]} sockets in the testbed's state folder, or absolute
 */
async function findEngine(variable, usual, sockets) {
  const named = process.env[variable] ?? process.env[usual]
  const paths = sockets.map((socket) => (socket.startsWith('/') ? socket : `${state}/${socket}`))
  for (const host of named ? [named] : paths.filter(existsSync).map((path) => `unix://${path}`)) {
    if (await engineAnswers(host)) return { [variable]: host }
  }
  return undefined
}

async function findCluster() {
  const path = process.env.KIWI_LIVE_KUBECONFIG ?? process.env.KUBECONFIG ?? `${clusterState}/admin.kubeconfig`
  if (!existsSync(path)) return undefined
  const { KubeConfig } = await import('@kubernetes/client-node')
  const configuration = new KubeConfig()
  configuration.loadFromFile(path)
  const server = configuration.getCurrentCluster()?.server
  return server && (await statusOf(`${server}/readyz`)) ? { KIWI_LIVE_KUBECONFIG: path } : undefined
}

async function findDatabase() {
  const port = process.env.KIWI_POSTGRES_PORT ?? '26432'
  const named = process.env.KIWI_LIVE_DATABASE_URL ?? process.env.DATABASE_URL
  const url = named ?? `postgres://kiwi@127.0.0.1:${port}/kiwi`
  const { hostname, port: at } = new URL(url)
  return (await accepts(hostname, Number(at || 5432))) ? { KIWI_LIVE_DATABASE_URL: url } : undefined
}

/** One that can also serve over HTTP. */
async function findGit() {
  const git = process.env.KIWI_LIVE_GIT ?? findCommand('git')
  if (!git || !existsSync(git)) return undefined
  const backend = `${execFileSync(git, ['--exec-path'], { encoding: 'utf8' }).trim()}/git-http-backend`
  return existsSync(backend) ? { KIWI_LIVE_GIT: git } : undefined
}

async function findChromium() {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  const path = process.env.KIWI_LIVE_CHROMIUM ?? names.map(findCommand).find(Boolean)
  return path && existsSync(path) ? { KIWI_LIVE_CHROMIUM: path } : undefined
}

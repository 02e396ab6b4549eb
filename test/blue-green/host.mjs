// A host application in a process of its own, for a test that kills it:  node host.mjs '{"home":…,"platform":…,"call":…,"killAt":…}'
// Prints the release as JSON; with `killAt` it dies by SIGKILL at the first kill point of that name.
import { join } from 'node:path'
import { dockerRuntime } from '@kiwi/adapter-docker'
import { kubernetesRuntime } from '@kiwi/adapter-k8s'
import { localBuilder } from '@kiwi/adapter-local'
import { ociRegistry } from '@kiwi/adapter-registry'
import { createKiwi, sqliteStore } from '@kiwi/core'

/**
 * @param {{ home: string, platform: 'docker' | 'kubernetes', killAt?: string }} options
 */
export function startKiwi({ home, platform, killAt }) {
  const { KIWI_LIVE_REGISTRY: host = '', KIWI_LIVE_DOCKER_HOST: url, KIWI_LIVE_KUBECONFIG: kubeconfig } = process.env
  const images = join(home, 'images')
  const runtime =
    platform === 'docker'
      ? dockerRuntime({ connection: { url }, edge: { image: `${host}/library/haproxy:2.6` } })
      : kubernetesRuntime({ kubeconfig })
  return createKiwi({
    builders: { local: localBuilder({ directory: join(home, 'builder'), images }) },
    registries: { open: ociRegistry({ host, plainHttp: true }) },
    runtimes: { [platform]: runtime },
    store: sqliteStore({ path: join(home, 'kiwi.sqlite') }),
    directory: home,
    onKillPoint: ({ name }) => void (name === killAt && process.kill(process.pid, 'SIGKILL')),
  })
}

if (process.argv[1] === import.meta.filename) {
  const { service, resume, ...options } = JSON.parse(process.argv[2] ?? '')
  const kiwi = await startKiwi(options)
  const run = resume
    ? (await kiwi.resume())[0]
    : await kiwi.release(service, { ref: 'main', environment: 'test', by: 'host' })
  console.log(JSON.stringify(await run?.result))
  process.exit(0) // the SDKs keep connections open
}

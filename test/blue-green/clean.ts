import { execFileSync } from 'node:child_process'

/** Removes what the Docker runtime made for a service, by its labels. */
export async function cleanDocker(service: string): Promise<void> {
  const docker = (...args: string[]) => {
    const environment = { ...process.env, DOCKER_HOST: process.env.KIWI_LIVE_DOCKER_HOST }
    return execFileSync('docker', args, { encoding: 'utf8', env: environment, stdio: ['ignore', 'pipe', 'inherit'] })
      .split('\n')
      .filter(Boolean)
  }
  const filter = `label=kiwi.service=${service}`
  const removals = [
    [
      ['ps', '--all', '--quiet', '--filter', filter],
      ['rm', '--force', '--volumes'],
    ],
    [
      ['network', 'ls', '--quiet', '--filter', filter],
      ['network', 'rm'],
    ],
    [
      ['volume', 'ls', '--quiet', '--filter', filter],
      ['volume', 'rm'],
    ],
  ] as const
  for (const [list, remove] of removals) {
    const found = docker(...list)
    if (found.length > 0) docker(...remove, ...found)
  }
}

/** Removes the namespace that the test's service had for itself. */
export async function cleanKubernetes(namespace: string): Promise<void> {
  const { KubeConfig, CoreV1Api } = await import('@kubernetes/client-node')
  const configuration = new KubeConfig()
  configuration.loadFromFile(process.env.KIWI_LIVE_KUBECONFIG ?? '')
  await configuration.makeApiClient(CoreV1Api).deleteNamespace({ name: namespace })
}

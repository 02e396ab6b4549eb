import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EnsureSlot, ImageAtUse, InstanceSpec, Runtime, Snapshot, Target } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import type Docker from 'dockerode'

/** Where the real engine and an open registry that it can reach are; `undefined` when this machine has not been told of any. */
export function liveEngine():
  | { readonly url: string; readonly registry: string; readonly edge: { readonly image: string } }
  | undefined {
  const { KIWI_LIVE_DOCKER_HOST: url, KIWI_LIVE_REGISTRY: registry } = process.env
  if (url === undefined || registry === undefined) {
    console.warn(
      'SKIPPED: the Docker adapter on a real engine. Set KIWI_LIVE_DOCKER_HOST (unix:///…) and KIWI_LIVE_REGISTRY (host:port).',
    )
    return undefined
  }
  return { url, registry, edge: { image: `${registry}/library/haproxy:2.6` } }
}

/** A small web server that answers with its version; `/health` is healthy, `/cgi-bin/env` tells two variables. */
export async function pushTestImage(docker: Docker, registry: string, version: string): Promise<ImageAtUse> {
  const directory = await mkdtemp(join(tmpdir(), 'kiwi-live-'))
  const tag = `${registry}/kiwi-live/web:${version.replaceAll(' ', '-')}`
  try {
    await writeFile(join(directory, 'Dockerfile'), dockerfile(registry, version))
    await writeFile(
      join(directory, 'env'),
      '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n$GREETING $PASSWORD"\n',
      { mode: 0o755 },
    )
    await finished(docker, await docker.buildImage({ context: directory, src: ['Dockerfile', 'env'] }, { t: tag }))
    const events = await finished(
      docker,
      await docker.getImage(tag).push({ authconfig: { username: '', password: '' } }),
    )
    const digest = events.map((event) => event.aux?.Digest).find((one) => one !== undefined)
    if (digest === undefined) throw new Error('the push told no digest')
    await docker.getImage(tag).remove({ force: true })
    return { digest, name: tag, pull: `${registry}/kiwi-live/web@${digest}` }
  } finally {
    await rm(directory, { recursive: true })
  }
}

function dockerfile(registry: string, version: string): string {
  return [
    `FROM ${registry}/library/busybox:1.36`,
    'LABEL kiwi.live=web',
    'COPY env /www/cgi-bin/env',
    `RUN echo -n ${version} > /www/index.html && echo ok > /www/health`,
    `CMD ["sh", "-c", "trap 'exit 0' TERM; httpd -f -p $PORT -h /www & wait"]`,
    '',
  ].join('\n')
}

interface BuildEvent {
  readonly error?: string
  readonly aux?: { readonly Digest?: string }
}

async function finished(docker: Docker, stream: NodeJS.ReadableStream): Promise<BuildEvent[]> {
  const events = await new Promise<BuildEvent[]>((resolve, reject) =>
    docker.modem.followProgress(stream, (error, all) => (error ? reject(error) : resolve(all))),
  )
  const failed = events.find((event) => event.error !== undefined)
  if (failed) throw new Error(failed.error)
  return events
}

export const testSpec: InstanceSpec = {
  env: { GREETING: 'hello', PASSWORD: { secret: 'PASSWORD' } },
  port: 3000,
  health: { type: 'http', path: '/health', intervalMs: 500, timeoutMs: 1_000 },
  volumes: [],
  resources: { requests: {}, limits: {} },
  stopGraceMs: 3_000,
}

/** The first snapshot that satisfies, or an error that shows the last one. */
export async function until(
  runtime: Runtime,
  target: Target,
  what: (seen: Snapshot) => boolean,
  timeoutMs = 20_000,
): Promise<Snapshot> {
  const signal = AbortSignal.timeout(timeoutMs)
  let last: Snapshot | undefined
  for await (const snapshot of runtime.observe(target, testContext({ signal }))) {
    last = snapshot
    if (what(snapshot)) return snapshot
  }
  throw new Error(`not seen within ${timeoutMs} ms: ${what}\nlast: ${JSON.stringify(last, undefined, 2)}`)
}

export const now = (runtime: Runtime, target: Target): Promise<Snapshot> => until(runtime, target, () => true)

export function isReady(slot: string, replicas: number): (seen: Snapshot) => boolean {
  return ({ slots }) => slots.find(({ id }) => id === slot)?.instances.filter(({ ready }) => ready).length === replicas
}

export function ensure(revision: string, slot: string, image: ImageAtUse, more: Partial<EnsureSlot> = {}): EnsureSlot {
  return {
    type: 'ensure-slot',
    revision,
    slot,
    release: `release-${slot}`,
    image,
    spec: testSpec,
    replicas: 2,
    ...more,
  }
}

/** Removes everything of the target, whatever a test has left. */
export async function clean(docker: Docker, service: string): Promise<void> {
  const filters = { label: [`kiwi.service=${service}`] }
  for (;;) {
    const containers = await docker.listContainers({ all: true, filters })
    if (containers.length === 0) break
    // One that the engine is removing already is refused, and gone at the next look.
    await Promise.allSettled(containers.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })))
    await sleep(100)
  }
  const networks = await docker.listNetworks({ filters })
  await Promise.all(networks.map(({ Id }) => docker.getNetwork(Id).remove()))
  const { Volumes } = await docker.listVolumes({ filters })
  await Promise.all(Volumes.map(({ Name }) => docker.getVolume(Name).remove()))
}

/** Removes the test images from the engine; the registry keeps them. */
export async function removeTestImages(docker: Docker): Promise<void> {
  const images = await docker.listImages({ filters: { label: ['kiwi.live=web'] } })
  await Promise.allSettled(images.map(({ Id }) => docker.getImage(Id).remove({ force: true })))
}

import { createHash } from 'node:crypto'
import type { ImageAtUse } from '@kiwi/core'

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

interface Manifest {
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

const base = 'library/busybox'
const repository = 'kiwi-adapter-k8s-test'

/** Pushes an image whose web server answers with `version`: busybox's layers under a configuration of our own. */
export async function pushServer(registry: string, version: string): Promise<ImageAtUse> {
  const api = `http://${registry}/v2`
  const accept = ['application/vnd.docker.distribution.manifest.v2+json', 'application/vnd.oci.image.manifest.v1+json']
  const { config, layers }: Manifest = await json(`${api}/${base}/manifests/1.36`, {
    headers: { Accept: accept.join(',') },
  })
  const image: { config: object } = await json(`${api}/${base}/blobs/${config.digest}`)
  const script = 'mkdir -p /www && echo "$VERSION" >/www/index.html && exec httpd -f -p "$PORT" -h /www'
  const own = { Env: [`VERSION=${version}`, 'PATH=/bin'], Entrypoint: null, Cmd: ['sh', '-c', script] }
  for (const { digest } of layers) await mount(api, digest)
  const configBytes = Buffer.from(JSON.stringify({ ...image, config: own }))
  const descriptor = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: sha256(configBytes),
    size: configBytes.length,
  }
  await upload(api, descriptor.digest, configBytes)
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const ociLayers = layers.map((layer) => ({ ...layer, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }))
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config: descriptor, layers: ociLayers }))
  const digest = sha256(manifest)
  await sent(`${api}/${repository}/manifests/${version}`, {
    method: 'PUT',
    body: manifest,
    headers: { 'Content-Type': mediaType },
  })
  return { digest, name: `${repository}:${version}`, pull: `${registry}/${repository}@${digest}` }
}

async function mount(api: string, digest: string): Promise<void> {
  await sent(`${api}/${repository}/blobs/uploads/?mount=${digest}&from=${base}`, { method: 'POST' })
}

async function upload(api: string, digest: string, bytes: Buffer): Promise<void> {
  const { headers } = await sent(`${api}/${repository}/blobs/uploads/`, { method: 'POST' })
  const place = new URL(headers.get('location') ?? '', api)
  place.searchParams.set('digest', digest)
  await sent(place.href, { method: 'PUT', body: bytes, headers: { 'Content-Type': 'application/octet-stream' } })
}

async function sent(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init)
  await response.arrayBuffer()
  if (!response.ok) throw new Error(`${init.method} ${url}: ${response.status}`)
  return response
}

async function json<T>(url: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(url, init)
  if (!response.ok) throw new Error(`${url}: ${response.status}`)
  return (await response.json()) as T // a registry of the testbed
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

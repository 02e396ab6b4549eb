import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Builder, type Context, KiwiError, ociLayout, pipe, type Registry } from '@kiwi/core'
import { gatherNode } from './gather.js'

const repository = 'node-of-this-machine'

/**
 * Makes a base image of the Node that runs this program and puts it into the embedded registry, so that a first build asks no other
 * registry. Resolves to its name, `embedded/node-of-this-machine:24.21.0`; what is there already is used.
 */
export async function provideNodeImage(options: {
  readonly builder: Builder
  readonly registry: Registry
  readonly directory: string
  readonly context: Context
}): Promise<string> {
  const { builder, registry, directory, context } = options
  const tag = process.versions.node
  const name = `embedded/${repository}:${tag}`
  if (await registry.resolve({ repository, reference: tag }, context)) return name
  const images = ociLayout(join(directory, 'images'))
  const io = { tree: { directory: await gathered(directory, tag, context.signal) }, sink: images.sink, image: noImage }
  const built = await builder.build(request(), io, context)
  await pipe(images.source(built.manifest), registry.sink(repository), { tag }, context)
  return name
}

/** Laid out beside, then moved into place: a killed process leaves no half of it behind that passes for whole. */
async function gathered(directory: string, version: string, signal: AbortSignal): Promise<string> {
  const root = join(directory, 'base-image', version)
  if (await stat(root).catch(() => undefined)) return root
  const part = join(directory, 'base-image', `.${randomUUID()}.part`)
  await mkdir(part, { recursive: true })
  try {
    await gatherNode(part, signal)
    await rename(part, root)
  } finally {
    await rm(part, { recursive: true, force: true })
  }
  return root
}

function noImage(reference: string): Promise<never> {
  return Promise.reject(
    new KiwiError('BASE_IMAGE_MISSING', `${reference} is not needed: this image begins from scratch`),
  )
}

const dockerfile = `FROM scratch
COPY . /
ENV PATH=/usr/local/bin:/usr/bin:/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
CMD ["node"]
`

function request() {
  const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
  const platform = { os: 'linux', architecture: architectures[process.arch] ?? process.arch }
  return {
    dockerfile,
    dockerfilePath: 'Dockerfile',
    contextPath: '.',
    args: {},
    platform,
    labels: {},
    createdAtSeconds: 0,
  }
}

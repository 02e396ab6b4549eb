import { execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Digest, ociLayout } from '@kiwi/core'
import { architecture, type Files, filesInTar, filesOf } from './files-image.js'

/** Another program that reads and writes registries. Of images of ours it keeps the digest, unless it makes a manifest of its own. */
export interface Peer {
  readonly name: string
  readonly readsZstd: boolean
  readonly writesIndexes: boolean
  /** Resolves to the digest that it says it pushed. */
  push(image: PeerImage, reference: string): Promise<string>
  pull(reference: string): Promise<{ readonly digest: string; readonly files: Files }>
}

export interface PeerImage {
  readonly layout: string
  readonly tag: string
  readonly digest: Digest
}

const run = promisify(execFile)
const platform = `linux/${architecture}`

/** `crane` is the path of the program. */
export function crane(program: string, directory: string): Peer {
  return {
    name: 'crane',
    readsZstd: true,
    writesIndexes: true,
    async push({ layout, tag, digest }, reference) {
      const alone = await aloneIn(directory, { layout, tag, digest })
      const { stdout } = await run(program, ['push', '--insecure', alone, reference])
      return stdout.trim().split('@').at(-1) ?? ''
    },
    async pull(reference) {
      const { stdout } = await run(program, ['digest', '--insecure', reference])
      const tar = join(directory, `${randomUUID()}.tar`)
      await run(program, ['export', '--insecure', '--platform', platform, reference, tar])
      return { digest: stdout.trim(), files: await filesInTar(tar) }
    },
  }
}

export function skopeo(directory: string): Peer {
  const quiet = ['copy', '--quiet', '--all', '--preserve-digests']
  return {
    name: 'skopeo',
    readsZstd: true,
    writesIndexes: true,
    async push({ layout, tag, digest }, reference) {
      await run('skopeo', [...quiet, '--dest-tls-verify=false', `oci:${layout}:${tag}`, `docker://${reference}`])
      return digest
    },
    async pull(reference) {
      const to = join(directory, randomUUID())
      await run('skopeo', [...quiet, '--src-tls-verify=false', `docker://${reference}`, `oci:${to}:latest`])
      const layout = ociLayout(to)
      const [root] = await layout.roots()
      if (!root) throw new Error(`skopeo wrote nothing to ${to}`)
      return { digest: root.digest, files: await filesOf(layout.source(root), AbortSignal.timeout(30_000)) }
    },
  }
}

export function docker(host: string, directory: string): Peer {
  const call = async (...args: readonly string[]) => (await run('docker', ['--host', host, ...args])).stdout.trim()
  return {
    name: 'docker',
    readsZstd: false, // 20.10
    writesIndexes: false,
    async push({ layout, tag }, reference) {
      const archive = join(directory, `${randomUUID()}.tar`)
      await run('skopeo', ['copy', '--quiet', `oci:${layout}:${tag}`, `docker-archive:${archive}:${reference}`])
      await call('load', '--quiet', '--input', archive)
      const [, digest = ''] = /digest: (sha256:\w+)/.exec(await call('push', reference)) ?? []
      await call('rmi', reference)
      return digest
    },
    async pull(reference) {
      await call('pull', '--quiet', reference)
      const digests = await call('image', 'inspect', '--format', '{{join .RepoDigests " "}}', reference)
      const container = await call('create', reference)
      const tar = join(directory, `${randomUUID()}.tar`)
      await call('export', '--output', tar, container)
      await call('rm', container)
      await call('rmi', reference)
      return { digest: digests.split('@').at(-1) ?? '', files: await filesInTar(tar) }
    },
  }
}

/** A containerd of its own, ended on dispose. Wants root. */
export async function containerd(directory: string): Promise<Peer & AsyncDisposable> {
  const address = join(directory, 'containerd.sock')
  const folders = ['--root', join(directory, 'root'), '--state', join(directory, 'state'), '--address', address]
  const daemon = spawn('containerd', [...folders, '--log-level', 'error'], { stdio: 'ignore' })
  const ended = once(daemon, 'exit')
  const call = async (...args: readonly string[]) => (await run('ctr', ['--address', address, ...args])).stdout
  for (let tries = 0; ; tries += 1) {
    const error = await call('version').then(
      () => undefined,
      (failed: unknown) => failed,
    )
    if (error === undefined) break
    if (tries === 100 || daemon.exitCode !== null) throw error
    await setTimeout(100)
  }
  const digestOf = async (reference: string) => {
    const [, digest = ''] = /(sha256:\w+)/.exec(await call('images', 'ls', `name==${reference}`)) ?? []
    return digest
  }
  return {
    name: 'containerd',
    readsZstd: true,
    writesIndexes: true,
    async push(image, reference) {
      const alone = await aloneIn(directory, image)
      const archive = `${alone}.tar`
      await run('tar', ['-C', alone, '-cf', archive, '.'])
      const place = reference.replace(/:[^:]*$/, '')
      await call('images', 'import', '--no-unpack', '--all-platforms', '--base-name', place, archive)
      await call('images', 'push', '--plain-http', reference, `${place}:latest`)
      return digestOf(`${place}:latest`)
    },
    async pull(reference) {
      await call('images', 'pull', '--plain-http', reference)
      const tree = join(directory, randomUUID())
      await mkdir(tree)
      await call('images', 'mount', reference, tree)
      await run('tar', ['-C', tree, '-cf', `${tree}.tar`, '.'])
      await call('images', 'unmount', '--rm', tree)
      return { digest: await digestOf(reference), files: await filesInTar(`${tree}.tar`) }
    },
    async [Symbol.asyncDispose]() {
      daemon.kill()
      await ended
    },
  }
}

/** A layout that has that image and nothing else: what takes a whole layout would take all. */
async function aloneIn(directory: string, { layout, tag }: PeerImage): Promise<string> {
  const alone = join(directory, randomUUID())
  await run('skopeo', ['copy', '--quiet', '--all', '--preserve-digests', `oci:${layout}:${tag}`, `oci:${alone}:latest`])
  return alone
}

import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Context,
  type Descriptor,
  digestOf,
  type ImagePlace,
  type ImageSink,
  KiwiError,
  ociLayout,
  parseReference,
  type Registry,
} from '@kiwi/core'

/** A registry that keeps images in a folder: one OCI layout per repository, and a small file for each manifest and tag. */
export function folderRegistry({ directory }: { readonly directory: string }): Registry {
  const folder = (repository: string) => join(directory, encodeURIComponent(checked(repository)))
  const find = async ({ repository, reference }: ImagePlace): Promise<Descriptor | undefined> => {
    const isDigest = reference.startsWith('sha256:')
    parseReference(isDigest ? `${checked(repository)}@${reference}` : `${checked(repository)}:${reference}`)
    return readDescriptor(join(folder(repository), isDigest ? 'manifests' : 'tags', reference))
  }
  return {
    contract: 'registry/v1',
    kind: 'folder',
    async probe() {
      const found = await stat(directory).catch(() => undefined)
      const ok = found?.isDirectory() === true
      return { ok, summary: `${directory} is ${ok ? 'a folder' : 'no folder'}`, details: { directory } }
    },
    check: async (repository, right) => {
      if (right === 'push') await mkdir(folder(repository), { recursive: true }).catch(refused)
    },
    resolve: find,
    async source(place) {
      const root = await find(place)
      if (root) return ociLayout(folder(place.repository)).source(root)
      throw new KiwiError('MANIFEST_UNKNOWN', `there is no ${place.repository} with ${place.reference}`)
    },
    sink: (repository) => folderSink(folder(repository)),
    address: (repository) => `folder.local/${checked(repository)}`,
    async *tags(repository) {
      yield* await readdir(join(folder(repository), 'tags')).catch(() => [])
    },
    async remove(place, context) {
      const found = await find(place)
      if (!found) return false
      const at = folder(place.repository)
      if (place.reference !== found.digest) return rm(join(at, 'tags', place.reference)).then(() => true)
      for await (const tag of this.tags?.(place.repository, context) ?? [])
        if ((await readDescriptor(join(at, 'tags', tag)))?.digest === found.digest) await rm(join(at, 'tags', tag))
      await rm(join(at, 'manifests', found.digest))
      await rm(ociLayout(at).path(found.digest), { force: true })
      return true
    },
  }
}

/** Blobs and manifests go into the layout; what names them is written last. */
function folderSink(folder: string): ImageSink {
  const { sink } = ociLayout(folder)
  return {
    ...sink,
    async manifest(bytes: Uint8Array, { mediaType, tag }, context: Context) {
      const root = await sink.manifest(bytes, { mediaType }, context)
      await writeDescriptor(join(folder, 'manifests'), digestOf(bytes), root)
      if (tag !== undefined) await writeDescriptor(join(folder, 'tags'), tag, root)
      return root
    },
  }
}

function checked(repository: string): string {
  parseReference(`${repository}:any`)
  return repository
}

async function readDescriptor(path: string): Promise<Descriptor | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw refused(error)
  })
  return text === undefined ? undefined : (JSON.parse(text) as Descriptor) // written by `writeDescriptor`
}

/** Whole or not at all: another process may read meanwhile. */
async function writeDescriptor(folder: string, name: string, descriptor: Descriptor): Promise<void> {
  await mkdir(folder, { recursive: true }).catch(refused)
  const part = join(folder, '..', `.${crypto.randomUUID()}`)
  await writeFile(part, JSON.stringify(descriptor)).catch(refused)
  await rename(part, join(folder, name)).catch(refused)
}

function refused(cause: Error): never {
  throw new KiwiError('REGISTRY_FAILED', `the folder cannot be used: ${cause.message}`, { cause, effect: 'unknown' })
}

import { type FileHandle, open } from 'node:fs/promises'
import type { Descriptor, Digest } from '../contracts/v1/image.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { malformed, type Place, readEntries } from './archive-entries.js'
import { digestOf } from './digest.js'
import { tagAnnotation } from './layout-index.js'
import { mediaTypes, parseIndex } from './manifest.js'

/** What lies in an archive, and where. */
export interface ArchivedImages {
  readonly roots: readonly Descriptor[]
  /** A manifest or index; `undefined` where it is not in there. */
  document(digest: Digest): Promise<Uint8Array | undefined>
  place(digest: Digest): Place | undefined
}

/** Reads the headers of the tar and its index. No file: no images. Rejects with `REGISTRY_FAILED` for what is no archive of images. */
export async function readArchive(path: string): Promise<ArchivedImages> {
  const file = await open(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  if (!file) return { roots: [], document: async () => undefined, place: () => undefined }
  try {
    const places = await readEntries(file)
    const read = (place: Place) => readDocument(file, place)
    const index = places.get('index.json')
    if (index) return { ...inLayout(path, places), roots: parseIndex(await read(index)) }
    const list = places.get('manifest.json')
    if (list) return await savedByDocker(places, await read(list), read)
    throw malformed('there is neither an index.json nor a manifest.json in it')
  } catch (error) {
    throw KiwiError.is(error) ? inFile(path, error) : error
  } finally {
    await file.close()
  }
}

/** As large as registries allow a manifest. */
const mostDocumentBytes = 4 * 1024 * 1024

async function readDocument(file: FileHandle, { offset, size }: Place): Promise<Uint8Array> {
  if (size > mostDocumentBytes) throw malformed(`a manifest in it has ${size} bytes`)
  const { buffer } = await file.read(Buffer.alloc(size), 0, size, offset)
  return buffer
}

function inLayout(path: string, places: ReadonlyMap<string, Place>): Omit<ArchivedImages, 'roots'> {
  const place = (digest: Digest) => places.get(`blobs/${digest.replace(':', '/')}`)
  return {
    place,
    async document(digest) {
      const at = place(digest)
      if (!at) return undefined
      await using file = await open(path)
      return readDocument(file, at)
    },
  }
}

/** One image of `docker save` (moby, image/tarexport): files by name, layers not compressed. */
interface SavedImage {
  readonly Config: string
  readonly RepoTags?: readonly string[] | null
  readonly Layers: readonly string[]
}

/** What docker did not write down, the manifest, is made here: always the same for the same image. */
async function savedByDocker(
  places: ReadonlyMap<string, Place>,
  list: Uint8Array,
  read: (place: Place) => Promise<Uint8Array>,
): Promise<ArchivedImages> {
  const blobs = new Map<Digest, Place>()
  const documents = new Map<Digest, Uint8Array>()
  const roots: Descriptor[] = []
  for (const image of savedImages(list)) {
    const config = at(places, image.Config)
    const configBytes = await read(config)
    const configDigest = digestOf(configBytes)
    blobs.set(configDigest, config)
    const diffIds = diffIdsOf(configBytes, image)
    const layers = image.Layers.map((name, index) => {
      const digest = diffIds[index] ?? ''
      const layer = at(places, name)
      blobs.set(digest, layer)
      return { mediaType: mediaTypes.layer, digest, size: layer.size }
    })
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: { mediaType: mediaTypes.config, digest: configDigest, size: config.size },
        layers,
      }),
    )
    const root = { mediaType: mediaTypes.manifest, digest: digestOf(manifest), size: manifest.byteLength }
    documents.set(root.digest, manifest)
    const tags = image.RepoTags ?? []
    roots.push(
      ...(tags.length === 0 ? [root] : tags.map((tag) => ({ ...root, annotations: { [tagAnnotation]: tag } }))),
    )
  }
  return { roots, document: async (digest) => documents.get(digest), place: (digest) => blobs.get(digest) }
}

function savedImages(list: Uint8Array): readonly SavedImage[] {
  const images = json(list, 'its manifest.json')
  if (Array.isArray(images) && images.every(isSavedImage)) return images
  throw malformed('its manifest.json does not list images')
}

function isSavedImage(value: unknown): value is SavedImage {
  if (typeof value !== 'object' || value === null || !('Config' in value) || !('Layers' in value)) return false
  const tags = 'RepoTags' in value ? value.RepoTags : undefined
  return typeof value.Config === 'string' && areStrings(value.Layers) && (tags == null || areStrings(tags))
}

function diffIdsOf(config: Uint8Array, { Config, Layers }: SavedImage): readonly Digest[] {
  const value = json(config, Config)
  const rootfs = typeof value === 'object' && value !== null && 'rootfs' in value ? value.rootfs : undefined
  const ids = typeof rootfs === 'object' && rootfs !== null && 'diff_ids' in rootfs ? rootfs.diff_ids : undefined
  if (areStrings(ids) && ids.length === Layers.length) return ids
  throw malformed(`${JSON.stringify(Config)} does not name ${Layers.length} layers`)
}

function areStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

function json(bytes: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw malformed(`${name} is not JSON`, cause)
  }
}

function at(places: ReadonlyMap<string, Place>, name: string): Place {
  const place = places.get(name)
  if (place) return place
  throw malformed(`${JSON.stringify(name)} is not in it`)
}

function inFile(path: string, { code, message, hint, cause }: KiwiError): KiwiError {
  return new KiwiError(code, `${path}: ${message}`, { evidence: { path }, retryable: false, hint, cause })
}

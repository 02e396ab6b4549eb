import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Descriptor } from '../contracts/v1/image.js'
import type { Json } from '../contracts/v1/json.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { openPart, syncDirectory } from './durable.js'
import { withLock } from './lock.js'
import { mediaTypes, parseIndex } from './manifest.js'

/** The annotation that carries a tag in `index.json` (image-spec, annotations.md). */
export const tagAnnotation = 'org.opencontainers.image.ref.name'

type JsonObject = { readonly [key: string]: Json | undefined }

/** What `index.json` lists. Rejects with `REGISTRY_FAILED` where it cannot be read. */
export async function readRoots(directory: string): Promise<readonly Descriptor[]> {
  const bytes = await readOptional(join(directory, 'index.json'))
  return bytes === undefined ? [] : parseIndex(bytes)
}

/** Gives a root its tag in `index.json`, taking it from whatever had it. What others wrote there meanwhile stays. */
export async function writeRoot(directory: string, root: Descriptor, tag: string, signal: AbortSignal): Promise<void> {
  await withLock(join(directory, '.index.lock'), signal, async () => {
    const file = join(directory, 'index.json')
    const index = readIndex(await readOptional(file), file)
    const entry = { ...root, annotations: { ...root.annotations, [tagAnnotation]: tag } }
    const others = index.manifests.filter((other) => tagOf(other) !== tag)
    const isThere =
      others.length + 1 === index.manifests.length && index.manifests.some((other) => isSame(other, root, tag))
    const marker = join(directory, 'oci-layout')
    if (isThere && (await exists(marker))) return
    if (!(await exists(marker))) await replace(directory, marker, '{"imageLayoutVersion":"1.0.0"}')
    if (!isThere) await replace(directory, file, JSON.stringify({ ...index, manifests: [...others, entry] }))
    await syncDirectory(directory)
  })
}

/** As it is, with all that other tools keep there. */
function readIndex(
  bytes: Uint8Array | undefined,
  file: string,
): JsonObject & { readonly manifests: readonly JsonObject[] } {
  if (bytes === undefined) return { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] }
  parseIndex(bytes) // refuses what is none
  const index: JsonObject = JSON.parse(new TextDecoder().decode(bytes))
  const { manifests } = index
  if (!isObjects(manifests))
    throw new KiwiError('REGISTRY_FAILED', `${file} cannot be read`, { evidence: { path: file } })
  return { ...index, manifests }
}

function isSame(entry: JsonObject, root: Descriptor, tag: string): boolean {
  return tagOf(entry) === tag && entry.digest === root.digest && entry.mediaType === root.mediaType
}

function tagOf({ annotations }: JsonObject): Json | undefined {
  return isObject(annotations) ? annotations[tagAnnotation] : undefined
}

function isObjects(value: Json | undefined): value is JsonObject[] {
  return Array.isArray(value) && value.every(isObject)
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The part lies with those of the blobs: what a killed process leaves is taken away there. */
async function replace(directory: string, file: string, text: string): Promise<void> {
  await using part = await openPart(join(directory, 'blobs'), async () => undefined)
  await part.write(Buffer.from(text))
  await part.rename(file)
}

async function readOptional(file: string): Promise<Uint8Array | undefined> {
  return readFile(file).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}

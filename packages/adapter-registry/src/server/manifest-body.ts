import { parseDigest } from '../names.js'
import { type Answer, refuse } from './answer.js'
import type { Asked } from './route.js'

/** A manifest that may be stored: its form is right and everything in it is there. */
interface Accepted {
  readonly bytes: Buffer
  readonly mediaType: string
  readonly subject?: string | undefined
}

export async function readManifest(asked: Asked): Promise<Accepted | Answer> {
  const limitBytes = asked.rules.manifestBytes
  const bytes = await readLimited(asked.body, limitBytes)
  if (bytes === undefined) return refuse(413, 'SIZE_INVALID', `a manifest may have ${limitBytes} bytes`)
  const value = parseObject(bytes)
  if (value === undefined) return refuse(400, 'MANIFEST_INVALID', 'the manifest is not a JSON object')
  const said = asked.headers['content-type']?.split(';')[0]?.trim()
  const mediaType = said ?? (typeof value.mediaType === 'string' ? value.mediaType : '')
  if (mediaType === '' || (typeof value.mediaType === 'string' && value.mediaType !== mediaType)) {
    return refuse(400, 'MANIFEST_INVALID', 'Content-Type and mediaType differ, or neither is there')
  }
  const missing = await findMissing(asked, value)
  if (missing !== undefined) {
    const detail = { digest: missing }
    return refuse(400, 'MANIFEST_BLOB_UNKNOWN', 'the repository lacks a part of the manifest', { detail })
  }
  return { bytes, mediaType, subject: digestIn(value.subject) }
}

async function readLimited(body: AsyncIterable<Uint8Array>, limitBytes: number): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size <= limitBytes) chunks.push(chunk) // the rest is read and dropped, so that the client sees the answer
  }
  return size > limitBytes ? undefined : Buffer.concat(chunks)
}

/**
 * The digest of the first blob or manifest that is named and not there. Layers with `urls` lie elsewhere on purpose. What is there is kept from
 * a garbage collection that may be running.
 */
async function findMissing(
  { storage: { content, repositories }, repository }: Asked,
  { config, layers, manifests }: JsonObject,
): Promise<string | undefined> {
  for (const part of [config, ...listOf(layers)]) {
    const digest = digestIn(part)
    const elsewhere = isObject(part) && Array.isArray(part.urls)
    if (digest === undefined || elsewhere) continue
    const isThere = (await repositories.hasBlob(repository, digest)) && (await content.keep(digest)) !== undefined
    if (!isThere) return digest
  }
  for (const child of listOf(manifests)) {
    const digest = digestIn(child)
    if (digest === undefined) continue
    const isThere = (await repositories.manifestType(repository, digest)) !== undefined
    if (!isThere || (await content.keep(digest)) === undefined) return digest
  }
  return undefined
}

interface JsonObject {
  readonly [key: string]: unknown
}

function parseObject(bytes: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function digestIn(descriptor: unknown): string | undefined {
  if (!isObject(descriptor) || typeof descriptor.digest !== 'string') return undefined
  return parseDigest(descriptor.digest) ? descriptor.digest : undefined
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

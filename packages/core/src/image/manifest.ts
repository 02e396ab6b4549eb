import type { Descriptor } from '../contracts/v1/image.js'
import type { Json } from '../contracts/v1/json.js'
import { KiwiError } from '../errors/kiwi-error.js'

/** Media types of images and indexes, OCI and Docker (image-spec, media-types.md). */
export const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const

/** An image manifest as far as Kiwi reads it. */
export interface ImageManifest {
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

export function isIndex(mediaType: string): boolean {
  return mediaType === mediaTypes.index || mediaType === mediaTypes.dockerIndex
}

export function isManifest(mediaType: string): boolean {
  return mediaType === mediaTypes.manifest || mediaType === mediaTypes.dockerManifest
}

/** Reads an image manifest. Throws `REGISTRY_FAILED` when the bytes are not one. */
export function parseManifest(bytes: Uint8Array): ImageManifest {
  const value = parse(bytes)
  const layers = Array.isArray(value.layers) ? value.layers.map(toDescriptor) : undefined
  if (layers === undefined) throw malformed('it lists no layers')
  return { config: toDescriptor(value.config), layers }
}

/** Reads an index: its manifests, in order. */
export function parseIndex(bytes: Uint8Array): readonly Descriptor[] {
  const { manifests } = parse(bytes)
  if (!Array.isArray(manifests)) throw malformed('it lists no manifests')
  return manifests.map(toDescriptor)
}

/** Of any algorithm (image-spec, descriptor.md). */
const digestPattern = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]{1,256}$/

type JsonObject = { readonly [key: string]: Json | undefined }

function parse(bytes: Uint8Array): JsonObject {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (isObject(value)) return value
  } catch (cause) {
    throw malformed('it is not JSON', cause)
  }
  throw malformed('it is not a JSON object')
}

function toDescriptor(value: unknown): Descriptor {
  if (!isObject(value)) throw malformed('a descriptor is not an object')
  const { mediaType, digest, size, platform, annotations } = value
  if (typeof mediaType !== 'string' || typeof digest !== 'string' || typeof size !== 'number') {
    throw malformed('a descriptor lacks mediaType, digest or size')
  }
  // A digest becomes part of paths and addresses, a size of sums.
  if (!digestPattern.test(digest)) throw malformed(`${JSON.stringify(digest)} is not a digest`)
  if (!Number.isSafeInteger(size) || size < 0) throw malformed(`${size} is not a size`)
  return {
    mediaType,
    digest,
    size,
    ...(isObject(platform) && { platform: toPlatform(platform) }),
    ...(isObject(annotations) && { annotations: toStrings(annotations) }),
  }
}

function toPlatform({ os, architecture, variant }: JsonObject) {
  return { os: String(os), architecture: String(architecture), ...(typeof variant === 'string' && { variant }) }
}

function toStrings(values: JsonObject): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, String(value)]))
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function malformed(why: string, cause?: unknown): KiwiError {
  return new KiwiError('REGISTRY_FAILED', `the manifest cannot be read: ${why}`, { cause })
}

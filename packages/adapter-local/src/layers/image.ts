import {
  type Descriptor,
  type ImageSource,
  isIndex,
  KiwiError,
  type Platform,
  parseIndex,
  parseManifest,
} from '@kiwi/core'
import type { Layer } from './store.js'

/** The image's own configuration, as far as it says how to run it (OCI image-spec, config.md). */
export interface RunConfig {
  readonly Env?: readonly string[] | undefined
  readonly Entrypoint?: readonly string[] | null | undefined
  readonly Cmd?: readonly string[] | null | undefined
  readonly WorkingDir?: string | undefined
  readonly User?: string | undefined
  readonly Labels?: Readonly<Record<string, string>> | null | undefined
  readonly ExposedPorts?: Readonly<Record<string, object>> | null | undefined
  readonly Volumes?: Readonly<Record<string, object>> | null | undefined
  readonly StopSignal?: string | undefined
  readonly OnBuild?: readonly string[] | null | undefined
  readonly Shell?: readonly string[] | undefined
  readonly Healthcheck?: Healthcheck | undefined
}

/** Times in nanoseconds, as Docker keeps them. */
export interface Healthcheck {
  readonly Test?: readonly string[] | undefined
  readonly Interval?: number | undefined
  readonly Timeout?: number | undefined
  readonly StartPeriod?: number | undefined
  readonly StartInterval?: number | undefined
  readonly Retries?: number | undefined
}

export interface ImageConfig {
  readonly architecture: string
  readonly os: string
  readonly variant?: string | undefined
  readonly author?: string | undefined
  readonly config?: RunConfig | undefined
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly string[] }
  readonly history?: readonly HistoryEntry[] | undefined
}

export interface HistoryEntry {
  readonly created?: string | undefined
  readonly created_by?: string | undefined
  readonly comment?: string | undefined
  readonly empty_layer?: boolean | undefined
}

export interface ReadImage {
  /** Of the image manifest, also where the source is an index. */
  readonly manifest: Descriptor
  readonly config: ImageConfig
  /** Lowest first. */
  readonly layers: readonly Layer[]
}

/** Reads manifest and configuration; of an index the manifest for `platform`. Layers are not read yet. */
export async function readImage(source: ImageSource, platform: Platform, signal: AbortSignal): Promise<ReadImage> {
  const manifest = await choose(source, platform, signal)
  const { config: descriptor, layers } = parseManifest(await source.manifest(manifest, signal))
  const config = parseConfig(await collect(source.blob(descriptor, { offsetBytes: 0, signal })))
  const ids = config.rootfs.diff_ids
  if (ids.length !== layers.length) {
    throw malformed(manifest, `it lists ${layers.length} layers, its configuration ${ids.length}`)
  }
  const open = (layer: Descriptor) => (signal: AbortSignal) => source.blob(layer, { offsetBytes: 0, signal })
  return {
    manifest,
    config,
    layers: layers.map((layer, index) => ({ diffId: ids[index] ?? '', descriptor: layer, open: open(layer) })),
  }
}

async function choose(source: ImageSource, platform: Platform, signal: AbortSignal): Promise<Descriptor> {
  if (!isIndex(source.root.mediaType)) return source.root
  const all = parseIndex(await source.manifest(source.root, signal))
  const fitting = all.filter(
    (item) => item.platform?.os === platform.os && item.platform.architecture === platform.architecture,
  )
  const found =
    platform.variant === undefined
      ? fitting[0]
      : (fitting.find((item) => item.platform?.variant === platform.variant) ?? fitting[0])
  if (found !== undefined) return found
  const offered = all.flatMap(({ platform: p }) => (p && p.os !== 'unknown' ? [`${p.os}/${p.architecture}`] : []))
  throw new KiwiError(
    'BASE_IMAGE_MISSING',
    `${source.root.digest} has no image for ${platform.os}/${platform.architecture}`,
    {
      hint: `It has ${offered.join(', ') || 'none that runs'}.`,
      evidence: { digest: source.root.digest, offered },
    },
  )
}

function parseConfig(bytes: Uint8Array): ImageConfig {
  // Digest-checked; what is used of it is looked at where it is used.
  const value = JSON.parse(new TextDecoder().decode(bytes)) as Partial<ImageConfig>
  const { architecture, os, rootfs } = value
  if (typeof architecture !== 'string' || typeof os !== 'string' || !Array.isArray(rootfs?.diff_ids)) {
    throw new KiwiError('REGISTRY_FAILED', 'the image’s configuration lacks os, architecture or rootfs.diff_ids')
  }
  return { ...value, architecture, os, rootfs }
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function malformed(manifest: Descriptor, why: string): KiwiError {
  return new KiwiError('REGISTRY_FAILED', `the image ${manifest.digest} cannot be read: ${why}`, {
    evidence: { digest: manifest.digest },
  })
}

import type { BuildReport } from './build-report.js'
import type { Context, Probe, SecretReference } from './context.js'
import type { Descriptor, ImageSink, ImageSource, Platform } from './image.js'
import type { Tree } from './tree.js'

/** Makes images from a Dockerfile and a build context. */
export interface Builder {
  readonly contract: 'builder/v1'
  readonly kind: string
  probe(context: Context): Promise<Probe>
  /** Can it build THIS Dockerfile here? Changes nothing. */
  fit(need: BuildNeed, context: Context): Promise<Fit>
  /** After a crash: the image that the operation `key` made, so that it is adopted instead of built again. */
  find(key: string, context: Context): Promise<BuiltImage | undefined>
  /** Builds; resolves when the image lies where `at` says. Rejects with `BUILD_STEP_FAILED` and the like. */
  build(request: BuildRequest, io: BuildIo, context: Context): Promise<BuiltImage>
}

export interface BuildNeed {
  /** The Dockerfile's text. */
  readonly dockerfile: string
  readonly target?: string | undefined
  readonly args: Readonly<Record<string, string>>
  readonly platform: Platform
  /** For `RUN --mount=type=secret`, by id; the value is had through `context.secret`, and is in no layer, log or cache key. */
  readonly secrets?: Readonly<Record<string, SecretReference>> | undefined
  /** Named contexts (`COPY --from=NAME`): directories relative to the tree. */
  readonly contexts?: Readonly<Record<string, string>> | undefined
}

/** `missing` names what the builder lacks for this Dockerfile, each with its cure. */
export interface Fit {
  readonly ok: boolean
  readonly missing: readonly { readonly what: string; readonly line?: number | undefined; readonly cure: string }[]
}

export interface BuildRequest extends BuildNeed {
  /** Where the text came from, relative to the tree: for messages, and for `<Dockerfile>.dockerignore`. */
  readonly dockerfilePath: string
  /** The build context's directory, relative to the tree. */
  readonly contextPath: string
  /** Used in place of the context's `.dockerignore` when the wizard wrote one. */
  readonly ignore?: string | undefined
  readonly labels: Readonly<Record<string, string>>
  /** Seconds since 1970 for every time that the image records (SOURCE_DATE_EPOCH). */
  readonly createdAtSeconds: number
  /** `off`: every step runs, and none is kept for later. Default: what the builder kept of earlier builds, and `BuildIo.cache`. */
  readonly cache?: 'on' | 'off' | undefined
}

/** The live ends of a build. */
export interface BuildIo {
  readonly tree: Tree
  /** Where the image goes when the builder has no place of its own. */
  readonly sink: ImageSink
  /** Opens an image that the Dockerfile names. Rejects with `BASE_IMAGE_MISSING`. */
  image(reference: string): Promise<ImageSource>
  /** Steps of earlier builds that lie in a registry. */
  readonly cache?: BuildCacheEnds | undefined
}

/** A build cache in registries; nothing that fails there fails the build. */
export interface BuildCacheEnds {
  /** Opens each cache to read; undefined where there is none yet. */
  readonly from: readonly (() => Promise<ImageSource | undefined>)[]
  readonly to?: { readonly sink: ImageSink; readonly tag: string } | undefined
}

export interface BuiltImage {
  /** The image manifest. */
  readonly manifest: Descriptor
  readonly platform: Platform
  /** Sum of the compressed layers in bytes. */
  readonly sizeBytes: number
  readonly layers: number
  /** Where it lies: in the sink it was given, in a registry (pushed by the builder), or in an engine. */
  readonly at: 'sink' | 'registry' | 'engine'
  readonly steps: { readonly total: number; readonly cached: number }
  readonly report?: BuildReport | undefined
}

import type { Context, Probe } from './context.js'
import type { Descriptor, ImageSink, ImageSource } from './image.js'

/** Stores images. */
export interface Registry {
  readonly contract: 'registry/v1'
  readonly kind: string
  probe(context: Context): Promise<Probe>
  /** Proves the right really (tokens lie): for `push` an upload is started and cancelled. Rejects with the reason. */
  check(repository: string, right: 'pull' | 'push', context: Context): Promise<void>
  /** The manifest that a tag or digest names; `undefined` only on a certain "not there". */
  resolve(place: ImagePlace, context: Context): Promise<Descriptor | undefined>
  /** Rejects with `MANIFEST_UNKNOWN` where `resolve` says undefined. */
  source(place: ImagePlace, context: Context): Promise<ImageSource>
  sink(repository: string): ImageSink
  /** Host, port and repository as an engine pulls it (`127.0.0.1:5000/web`): looked up at use, never recorded. */
  address(repository: string): string
  /** All tags of a repository; empty for one that is not there. */
  tags?(repository: string, context: Context): AsyncIterable<string>
  /** Removes a manifest and its tags. Answers whether it was there. Rejects with `REGISTRY_DENIED` where the registry cannot or may not. */
  remove?(place: ImagePlace, context: Context): Promise<boolean>
}

/** A tag or a digest in a repository of one registry. */
export interface ImagePlace {
  readonly repository: string
  /** `v1` or `sha256:…`. */
  readonly reference: string
}

import type { Context, Probe } from './context.js'
import type { Descriptor, Digest, ImageSink, ImageSource } from './image.js'

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
  /**
   * By digest: removes the manifest and all its tags. By tag: only that tag, whatever else names the manifest. Answers whether it was there.
   * Rejects with `REGISTRY_DENIED` where the registry cannot or may not.
   */
  remove?(place: ImagePlace, context: Context): Promise<boolean>
  /**
   * Keeps exactly these manifests from whatever the registry itself clears away (untagged manifests, retention rules), by the means it has;
   * what it kept before and is not among them it lets go. Says by which means, and what it could not keep and why.
   */
  protect?(repository: string, digests: readonly Digest[], context: Context): Promise<Protection>
}

/** How manifests are kept in one repository. */
export interface Protection {
  /** `keep-tags`: a tag of Kiwi's own per digest. `immutable-tags`, `retention-exemption`: rules of the registry. `folder`: nothing else clears it away. */
  readonly by: 'keep-tags' | 'immutable-tags' | 'retention-exemption' | 'folder'
  readonly kept: readonly Digest[]
  readonly notKept: readonly { readonly digest: Digest; readonly because: string }[]
}

/** A tag or a digest in a repository of one registry. */
export interface ImagePlace {
  readonly repository: string
  /** `v1` or `sha256:…`. */
  readonly reference: string
}

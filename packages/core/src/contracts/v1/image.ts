import type { Context } from './context.js'

/** `sha256:` and 64 lower-case hex digits. */
export type Digest = string

/** A typed pointer to content (OCI image-spec, descriptor.md). `size` in bytes. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
  readonly platform?: Platform | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
}

export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string | undefined
}

/** Where an image can be read: a registry, an OCI layout, an engine. */
export interface ImageSource {
  /** The manifest or index that this source stands for. */
  readonly root: Descriptor
  /** The registry and repository it lies in, so that a sink in the same registry may mount instead of copy. */
  readonly origin?: { readonly registry: string; readonly repository: string } | undefined
  /** The bytes of a manifest or index, verified against the descriptor's digest. */
  manifest(descriptor: Descriptor, signal: AbortSignal): Promise<Uint8Array>
  /** The bytes of a blob from `offsetBytes` on; read from 0 they are verified, and the iteration throws `DIGEST_MISMATCH` at the end. */
  blob(
    descriptor: Descriptor,
    options: { readonly offsetBytes: number; readonly signal: AbortSignal },
  ): AsyncIterable<Uint8Array>
}

/** Bytes on their way into a sink. */
export interface BlobUpload {
  readonly mediaType: string
  /** Known beforehand: verified, and `open` may be called again to resume or repeat. Left out: computed while it streams, `open(0)` is called once. */
  readonly expected?: { readonly digest: Digest; readonly size: number } | undefined
  readonly mountFrom?: { readonly registry: string; readonly repository: string } | undefined
  open(offsetBytes: number): AsyncIterable<Uint8Array>
}

/** Where an image can be written. Children go before parents: blobs, then manifests, then the index. */
export interface ImageSink {
  /**
   * Asked first, with the root: where all of it is there already it gets its tag, in as few requests as can be (none when the tag names it by now).
   * `undefined`: not known to be whole, everything is copied.
   */
  retag?(
    bytes: Uint8Array,
    options: { readonly mediaType: string; readonly tag?: string | undefined },
    context: Context,
  ): Promise<Descriptor | undefined>
  /** Whether the blob (or manifest, by its media type) is there already. */
  has(descriptor: Descriptor, context: Context): Promise<boolean>
  /** Writes one blob in a stream; resolves when it is stored under its digest. */
  blob(upload: BlobUpload, context: Context): Promise<Descriptor>
  /** Writes a manifest or index, and names it when a tag is given. */
  manifest(
    bytes: Uint8Array,
    options: { readonly mediaType: string; readonly tag?: string | undefined },
    context: Context,
  ): Promise<Descriptor>
}

import type { Context, Probe } from './context.js'
import type { Tree } from './tree.js'

/** A name that can be asked for, and the commit it stands for now. */
export interface Ref {
  readonly name: string
  readonly kind: 'branch' | 'tag'
  /** Full SHA of the commit; for an annotated tag the commit it points at, not the tag object. */
  readonly commit: string
  /** The branch that is taken when none is named. */
  readonly default?: boolean | undefined
}

/** A branch, tag or commit name, resolved. */
export interface Revision {
  /**
   * Full commit SHA (40 or 64 hex digits). Of a directory with uncommitted changes: the commit they were made on. Of a directory that has no
   * commit: the first 40 digits of `contentDigest`.
   */
  readonly commit: string
  /** What was asked for. */
  readonly ref: string
  readonly branch?: string | undefined
  readonly tag?: string | undefined
  readonly subject?: string | undefined
  /** Seconds since 1970: the commit's own time. */
  readonly committedAtSeconds?: number | undefined
  /** True when the files are not those of `commit`: changed and not committed, or there is no commit. */
  readonly dirty?: boolean | undefined
  /** `sha256:…` of paths, kinds and content. Directories only; two revisions with the same one have the same files. */
  readonly contentDigest?: string | undefined
}

/** Where code comes from. */
export interface Source {
  readonly contract: 'source/v1'
  probe(context: Context): Promise<Probe>
  /** Every branch and tag, the default branch first. */
  refs(context: Context): AsyncIterable<Ref>
  /** Looks the ref up. Rejects with `REF_NOT_FOUND`, naming close matches, or `SOURCE_UNREACHABLE`. */
  resolve(ref: string, context: Context): Promise<Revision>
  /** Brings the files of exactly that revision into a directory of its own, deleted on dispose. */
  open(revision: Revision, context: Context): Promise<Tree & AsyncDisposable>
  /** Paths that differ between two commits, both of a renamed file. Left out where only the present state is known. */
  changed?(from: string, to: string, context: Context): Promise<string[]>
}

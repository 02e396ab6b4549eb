import type { Context, Probe } from './context.js'
import type { Tree } from './tree.js'

/** A branch, tag or commit name, resolved. */
export interface Revision {
  /** Full commit SHA (40 or 64 hex digits). */
  readonly commit: string
  /** What was asked for. */
  readonly ref: string
  readonly branch?: string | undefined
  readonly tag?: string | undefined
  readonly subject?: string | undefined
  /** Seconds since 1970: the commit's own time. */
  readonly committedAtSeconds?: number | undefined
}

/** Where code comes from. */
export interface Source {
  readonly contract: 'source/v1'
  probe(context: Context): Promise<Probe>
  /** Looks the ref up. Rejects with `REF_NOT_FOUND`, naming close matches, or `SOURCE_UNREACHABLE`. */
  resolve(ref: string, context: Context): Promise<Revision>
  /** Brings the files of exactly that commit into a directory of its own, deleted on dispose. */
  open(revision: Revision, context: Context): Promise<Tree & AsyncDisposable>
}

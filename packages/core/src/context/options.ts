/** Which files make a build context. Paths are relative to `directory`, with `/`. */
export interface ContextOptions {
  /** Absolute path of the source tree. */
  readonly directory: string
  /** The build context in it; `.` for the whole. */
  readonly contextPath: string
  /** The Dockerfile: `<Dockerfile>.dockerignore` beats `.dockerignore`. */
  readonly dockerfilePath: string
  /** Rules used in place of those in the tree. */
  readonly ignore?: string | undefined
  /** Files that are not in the tree, or stand in place of one there (a Dockerfile that the wizard wrote). Always sent. */
  readonly extra?: readonly { readonly path: string; readonly bytes: Uint8Array }[] | undefined
  /** Told of each socket, device and fifo: they are left out. `path` is relative to the context. */
  readonly onSkipped?: ((path: string, kind: 'socket' | 'device' | 'fifo') => void) | undefined
  readonly signal: AbortSignal
}

export interface PackOptions extends ContextOptions {
  /** Time of every entry, in seconds since 1970. Default 0. */
  readonly mtimeSeconds?: number | undefined
}

/** One entry of a build context. `path` is relative to the context. */
export interface ContextFile {
  readonly path: string
  readonly type: 'file' | 'directory' | 'symlink'
  /** Bytes; 0 for all but files. */
  readonly size: number
}

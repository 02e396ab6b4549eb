/** Something that COPY reads: the build context, a stage, another image. Paths are relative to its root, without slashes at the ends. */
export interface SourceTree {
  /** For messages: `the build context`, `stage build`. */
  readonly name: string
  /** What lies at exactly that path; symlinks are not followed. What is ignored is not there. */
  lookup(path: string): SourceEntry | undefined
  /** Whether rules leave out what lies there; only a build context has any. */
  isLeftOut?(path: string): boolean
  /** Sorted names in a directory. */
  children(path: string): readonly string[]
  /** The real path, symlinks followed inside the root. */
  resolve(path: string): string
  /** sha256 of a file's content, in hex. */
  hash(entry: SourceEntry): string | Promise<string>
  content(entry: SourceEntry): Uint8Array | (() => AsyncIterable<Uint8Array>)
}

export interface SourceEntry {
  readonly path: string
  readonly type: 'file' | 'directory' | 'symlink' | 'other'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes. */
  readonly size: number
  /** Target of a symlink. */
  readonly link?: string | undefined
  /** The same for all names of one file; left out where it has only one. */
  readonly file?: string | undefined
  readonly attributes?: Readonly<Record<string, string>> | undefined
}

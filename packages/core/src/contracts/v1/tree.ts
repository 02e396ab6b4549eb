/** The files of one revision, in a local directory that holds nothing else. Disposed when the run has no more use for it. */
export interface Tree {
  /** Absolute path. */
  readonly directory: string
}

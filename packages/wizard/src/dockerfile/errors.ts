/** Where something stands in a Dockerfile; both numbers start at 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** The text is no Dockerfile that a builder would take. */
export class DockerfileSyntaxError extends Error {
  override readonly name = 'DockerfileSyntaxError'
  readonly line: number
  readonly column: number
  /** What the author can do about it. */
  readonly hint: string

  constructor(message: string, { line, column, hint }: Position & { readonly hint: string }) {
    super(message)
    this.line = line
    this.column = column
    this.hint = hint
  }
}

import type { Files } from './files.js'

/** Where something was seen. `rule` is a stable name such as `node/start-script`. */
export interface Evidence {
  readonly file: string
  /** From 1. */
  readonly line?: number | undefined
  readonly rule: string
}

/** Something seen in the files, with its place. */
export interface Found<T> {
  readonly value: T
  readonly evidence: Evidence
}

/** Something decided, with one sentence that says why. */
export interface Choice<T> {
  readonly value: T
  readonly reason: string
}

/** What a stack saw in the files. */
export type Sighting<Facts> =
  | {
      readonly kind: 'candidate'
      readonly confidence: number
      readonly evidence: readonly Evidence[]
      readonly facts: Facts
    }
  /** It is this stack, but one the wizard cannot write a Dockerfile for. */
  | { readonly kind: 'refusal'; readonly reason: string; readonly evidence: readonly Evidence[] }

/** One kind of application: sees it, decides, writes. A new stack is one file with this shape and its fixtures. */
export interface Stack<Name extends string, Facts, Plan> {
  readonly name: Name
  /** What the files must have; told to the author when nothing is recognised. */
  readonly lookedFor: string
  /** Reads only. Undefined when there is nothing of this stack. */
  look(files: Files): Promise<Sighting<Facts> | undefined>
  plan(facts: Facts): Plan
  /** May throw `UnsuitableBaseImageError`. */
  generate(plan: Plan, options: GenerateOptions): Generated
}

export interface GenerateOptions {
  /** Replaces the image that the application runs on, and the one it is built on where they are the same. */
  readonly baseImage?: string | undefined
}

export interface Generated {
  readonly dockerfile: string
  readonly dockerignore: string
  /** Why each line of the Dockerfile is there; `line` starts at 1. */
  readonly decisions: readonly { readonly line: number; readonly reason: string }[]
}

/** The base image that was asked for cannot run this stack. */
export class UnsuitableBaseImageError extends Error {
  override readonly name = 'UnsuitableBaseImageError'
  readonly hint: string

  constructor(message: string, hint: string) {
    super(message)
    this.hint = hint
  }
}

/** One command to run on a root file system. */
export interface StepCommand {
  readonly argv: readonly string[]
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>
  /** Absolute in the image. */
  readonly directory: string
  readonly user: StepUser
}

export interface StepUser {
  readonly uid: number
  readonly gid: number
  /** Further groups. */
  readonly groups: readonly number[]
}

/** A file or directory of the host that the step sees, and the image does not get. */
export interface BuildOnlyMount {
  readonly source: string
  /** Absolute in the image. */
  readonly target: string
  readonly type: 'file' | 'directory'
  readonly readOnly: boolean
}

/** How the command ended. */
export interface StepExit {
  /** 128 + the signal's number when one ended it. */
  readonly exitCode: number
}

export type OnOutput = (bytes: Uint8Array, stream: 'out' | 'err') => Promise<void>

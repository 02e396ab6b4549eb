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

/** Something that the step sees, and the image does not get. The target is absolute in the image. */
export type BuildOnlyMount = HostMount | TemporaryMount | SecretMount

/** A file or directory of the host. */
export interface HostMount {
  readonly kind: 'host'
  readonly source: string
  readonly target: string
  readonly type: 'file' | 'directory'
  readonly readOnly: boolean
}

/** An empty directory in memory. */
export interface TemporaryMount {
  readonly kind: 'temporary'
  readonly target: string
  /** Default: what the kernel gives, half of the memory. */
  readonly sizeBytes?: number | undefined
}

/** A file that is written in memory, inside the namespaces alone. */
export interface SecretMount {
  readonly kind: 'secret'
  readonly target: string
  readonly value: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** `none`: nothing but a loopback of its own. */
export type StepNetwork = 'host' | 'none'

/** How the command ended. */
export interface StepExit {
  /** 128 + the signal's number when one ended it. */
  readonly exitCode: number
}

export type OnOutput = (bytes: Uint8Array, stream: 'out' | 'err') => Promise<void>

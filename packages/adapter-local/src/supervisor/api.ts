import type { Action, Evidence, HealthCheck, Publish, Snapshot } from '@kiwi/core'

/**
 * What travels over the supervisor's socket, as JSON over HTTP. Secrets are in `Launch.env` only, which is never written to a disk.
 * POST /claim `ClaimRequest` -> {} · GET /snapshot?after=CHANGE -> `SnapshotAnswer` (waits while `after` is the newest change)
 * POST /act `ActRequest` -> `ActAnswer` · GET /evidence?of=ID -> `Evidence` · POST /shutdown?forget=true -> {}
 * GET /ping -> {}. A refusal is an `ErrorRecord` with status 409; 503 says that the supervisor is about to end, and nothing was done.
 */
export interface ClaimRequest {
  readonly token: number
  readonly publish: Publish
}

export interface ActRequest {
  readonly token: number
  readonly action: OrderedAction
}

export interface ActAnswer {
  /**
   * `wanted`: nothing was done; the same order has to come with a launch. `kept`: the launch is used, with what was made for it.
   * `needless`: what was ordered is there already, or can be had without a launch.
   */
  readonly launch: 'wanted' | 'kept' | 'needless'
}

export interface SnapshotAnswer {
  /** Names this state; differs after every change, also when only an instance's health changed. */
  readonly change: string
  readonly snapshot: Snapshot
}

export type EvidenceAnswer = Evidence

/** An action as the supervisor needs it: the image is unpacked and the secrets are resolved already. */
export type OrderedAction = Exclude<Action, { readonly type: 'ensure-slot' | 'run-once' }> | OrderedSlot | OrderedTask

export interface OrderedSlot {
  readonly type: 'ensure-slot'
  readonly revision: string
  readonly slot: string
  readonly release: string
  readonly digest: string
  readonly replicas: number
  /** Equal for equal image and spec; secret values do not take part. */
  readonly fingerprint: string
  readonly health: HealthCheck
  readonly stopGraceMs: number
  readonly launch?: Launch | undefined
}

export interface OrderedTask {
  readonly type: 'run-once'
  readonly revision: string
  readonly task: string
  readonly slot: string
  readonly stopGraceMs: number
  readonly launch?: Launch | undefined
}

/** How one instance is started. */
export interface Launch {
  readonly root: Root
  readonly argv: readonly string[]
  /** Whole, without PORT: the supervisor chooses that. */
  readonly env: Readonly<Record<string, string>>
  /** Inside the root. */
  readonly workingDirectory: string
  /** Only where the root is mounted; a plain process runs as whoever runs Kiwi. */
  readonly user: { readonly uid: number; readonly gid: number }
  readonly stopSignal: string
  /** `host`: this machine's; the supervisor chooses a port, `port` is where a deaf application would listen. `own`: a namespace, in which the application listens on `port`. */
  readonly network: { readonly kind: 'host' | 'own'; readonly port: number }
  readonly mounts: readonly Mount[]
  readonly limits?: Limits | undefined
}

/** What one instance may use at most; only where the kernel can be told so. */
export interface Limits {
  /** The control group below which each instance gets one of its own. */
  readonly group: string
  readonly cpuMillis?: number | undefined
  readonly memoryBytes?: number | undefined
}

/**
 * `overlay`: in namespaces of its own, on read-only layers (lowest first) and, above them, `stubs`: the places of mounts.
 * `directory`: a plain process in a copy. What lies at `made` was made for the slot and is removed with it.
 */
export type Root =
  | { readonly form: 'overlay'; readonly layers: readonly string[]; readonly stubs: string; readonly made: string }
  | { readonly form: 'directory'; readonly path: string; readonly made: string }

export interface Mount {
  /** Absolute path on the host. */
  readonly source: string
  /** Relative to the root, symbolic links followed. */
  readonly target: string
  readonly readOnly: boolean
}

import type { SecretReference } from './context.js'

/** One conditional write on a target. Refused with `CONFLICT` when the target's revision is not `revision` any more. */
export type Action = EnsureSlot | RouteTo | RunOnce | RemoveSlot | RemoveTarget

/**
 * Makes the slot exist with that many instances: missing ones are made again, surplus ones stopped with their grace, those first that are not
 * ready; 0 keeps the slot without instances. A slot that exists keeps its release; the engine never sends another image or spec for it.
 */
export interface EnsureSlot {
  readonly type: 'ensure-slot'
  readonly revision: string
  readonly slot: string
  readonly release: string
  readonly image: ImageAtUse
  readonly spec: InstanceSpec
  readonly replicas: number
}

/**
 * Moves all traffic to these slots together; to none closes the service. `from` is what the snapshot showed: the write is refused if it shows
 * anything else by then. Several slots at once only where `traits.routes` is `'many'`.
 */
export interface RouteTo {
  readonly type: 'route'
  readonly revision: string
  readonly from: readonly string[]
  readonly to: readonly string[]
}

/**
 * Runs a command once to its end in an instance of its own, outside every slot and route (a migration). `task` names it: a second order with a
 * name that is there already changes nothing. It is shown in `Snapshot.tasks`, finished ones too, until its slot or the target is removed.
 */
export interface RunOnce {
  readonly type: 'run-once'
  readonly revision: string
  readonly task: string
  /** The slot it belongs to; with that slot it is removed. The slot need not exist yet. */
  readonly slot: string
  readonly release: string
  readonly image: ImageAtUse
  /** As the slot's instances run, but with this command; `port`, `health` mean nothing for it. */
  readonly spec: InstanceSpec
  readonly command: readonly string[]
}

/** Stops the slot's instances and tasks with their grace and removes them. Refused for a slot that is routed. */
export interface RemoveSlot {
  readonly type: 'remove-slot'
  readonly revision: string
  readonly slot: string
}

/**
 * Removes what `claim` made (edge, Service, open port) and the finished tasks. Refused while there is a slot. Afterwards a snapshot shows
 * `fence: 0`, and the next claim begins anew.
 */
export interface RemoveTarget {
  readonly type: 'remove-target'
  readonly revision: string
}

/** The image of a slot: always pinned. */
export interface ImageAtUse {
  /** Manifest digest. */
  readonly digest: string
  /** How people know it (`embedded/web:main-a1b2c3d`). */
  readonly name: string
  /** `host:port/repository@sha256:…` for a runtime that pulls; looked up for this act. */
  readonly pull: string
}

/** How to run one instance; rendered from the environment when the release is made, kept with the release. Secrets are references. */
export interface InstanceSpec {
  /** Overrides of the image's own entrypoint and command. */
  readonly entrypoint?: readonly string[] | undefined
  readonly command?: readonly string[] | undefined
  readonly env: Readonly<Record<string, string | SecretReference>>
  /** The port the application listens on; it is told by `PORT` as well. */
  readonly port: number
  readonly health: HealthCheck
  readonly volumes: readonly Volume[]
  readonly resources: Resources
  /** Time between the stop signal and the kill. */
  readonly stopGraceMs: number
}

/** What one instance may count on, and what it may use at most. A runtime that cannot keep a limit says so in its probe. */
export interface Resources {
  readonly requests: ResourceAmounts
  readonly limits: ResourceAmounts
}

export interface ResourceAmounts {
  /** Thousandths of a core: `500` = half a core. */
  readonly cpuMillis?: number | undefined
  readonly memoryBytes?: number | undefined
}

export interface HealthCheck {
  readonly type: 'http' | 'tcp'
  /** `http` only: any status below 400 is healthy. */
  readonly path?: string | undefined
  readonly intervalMs: number
  readonly timeoutMs: number
}

export interface Volume {
  /** Host path or the name of a volume. */
  readonly source: string
  readonly path: string
  readonly readOnly: boolean
}

import type { SecretReference } from './context.js'

/** One conditional write on a target. Refused with `CONFLICT` when the target's revision is not `revision` any more. */
export type Action = EnsureSlot | ScaleSlot | RouteTo | RemoveSlot

/** Makes the slot exist with that many instances, missing ones made again. The engine never sends another spec for a slot that exists. */
export interface EnsureSlot {
  readonly type: 'ensure-slot'
  readonly revision: string
  readonly slot: string
  readonly release: string
  readonly image: ImageAtUse
  readonly spec: InstanceSpec
  readonly replicas: number
}

export interface ScaleSlot {
  readonly type: 'scale-slot'
  readonly revision: string
  readonly slot: string
  readonly replicas: number
}

/** Moves all traffic. `from` is what the snapshot showed: the write is refused if it shows anything else by then. */
export interface RouteTo {
  readonly type: 'route'
  readonly revision: string
  readonly from: readonly string[]
  readonly to: readonly string[]
}

/** Stops the slot's instances with their grace and removes them. Refused for a slot that is routed. */
export interface RemoveSlot {
  readonly type: 'remove-slot'
  readonly revision: string
  readonly slot: string
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
  /** Time between the stop signal and the kill. */
  readonly stopGraceMs: number
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

import type { InstanceSpec } from '../contracts/v1/actions.js'
import type { ErrorRecord } from '../errors/kiwi-error.js'
import type { RunKind } from './run.js'
import type { EnvironmentDefinition, Strategy } from './service.js'

/** An image in a registered registry, pinned. `registry` is the register's name, not a host. */
export interface ImageRecord {
  readonly registry: string
  readonly repository: string
  /** Left out for an image that is known by digest only. */
  readonly tag?: string | undefined
  readonly digest: string
  /** Sum of the compressed layers in bytes; not known of an image for several platforms. */
  readonly sizeBytes?: number | undefined
}

/** One row of the history. Written once, never changed. */
export interface Release {
  /** `service/environment/number`. */
  readonly id: string
  readonly service: string
  readonly environment: string
  /** 1, 2, 3 … per service and environment, failures included; 0 is what was adopted. */
  readonly number: number
  readonly kind: Exclude<RunKind, 'build' | 'push'>
  readonly status: 'succeeded' | 'failed'
  readonly runId: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly durationMs: number
  readonly deployer: string
  readonly reason: string | undefined
  readonly image: ImageRecord | undefined
  readonly commit: string | undefined
  readonly ref: string | undefined
  /** The slot that ran it, the spec it ran with: what a rollback needs. */
  readonly slot: string | undefined
  readonly spec: InstanceSpec | undefined
  readonly replicas: number
  /** How it was brought up. */
  readonly strategy: Strategy | undefined
  readonly verify: EnvironmentDefinition['verify']
  /** The build it came from, where Kiwi built it. */
  readonly buildNumber: number | undefined
  /** A rollback must not cross it unasked. */
  readonly schemaChange: boolean
  /** The release whose place it took. */
  readonly replaced: string | undefined
  /** The release that a rollback brought back. */
  readonly of: string | undefined
  readonly addresses: readonly string[]
  readonly error: ErrorRecord | undefined
}

/** One image that was made, or is being made, also when it was never deployed. */
export interface Build {
  readonly service: string
  /** Never used twice per service; numbers may be missing. */
  readonly number: number
  readonly runId: string
  readonly status: 'running' | 'succeeded' | 'failed' | 'cancelled'
  readonly ref: string
  readonly commit: string | undefined
  readonly tag: string | undefined
  /** The whole name people pull (`registry.example/library/web:main-a1b2c3d`), where it was pushed. */
  readonly reference: string | undefined
  readonly image: ImageRecord | undefined
  readonly digest: string | undefined
  readonly sizeBytes: number | undefined
  readonly by: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly durationMs: number | undefined
  readonly error: ErrorRecord | undefined
  /** Its image was removed from the registry. */
  readonly pruned?: boolean | undefined
}

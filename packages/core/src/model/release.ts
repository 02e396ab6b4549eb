import type { InstanceSpec } from '../contracts/v1/actions.js'
import type { ErrorRecord } from '../errors/kiwi-error.js'

/** An image in a registered registry, pinned. `registry` is the register's name, not a host. */
export interface ImageRecord {
  readonly registry: string
  readonly repository: string
  readonly tag: string
  readonly digest: string
  /** Sum of the compressed layers in bytes. */
  readonly sizeBytes: number
}

/** One row of the history. Written once, never changed. */
export interface Release {
  /** `service/environment/number`. */
  readonly id: string
  readonly service: string
  readonly environment: string
  /** 1, 2, 3 … per service and environment, failures included. */
  readonly number: number
  readonly kind: 'release' | 'rollback'
  readonly status: 'succeeded' | 'failed'
  readonly runId: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly durationMs: number
  readonly deployer: string
  readonly image: ImageRecord | undefined
  readonly commit: string | undefined
  readonly ref: string | undefined
  /** The slot that ran it, the spec it ran with: what a rollback needs. */
  readonly slot: string | undefined
  readonly spec: InstanceSpec | undefined
  readonly replicas: number
  /** The release whose place it took. */
  readonly replaced: string | undefined
  /** The release that a rollback brought back. */
  readonly of: string | undefined
  readonly addresses: readonly string[]
  readonly error: ErrorRecord | undefined
}

import type { Fact } from './facts.js'

/** Names a secret; the value is looked up at use and never stored. Make one with `secret('NAME')`. */
export interface SecretReference {
  readonly secret: string
}

/** The lease an operation runs under. A target refuses an act whose token is older than the newest it has seen. */
export interface Fence {
  readonly scope: string
  readonly token: number
}

/** What a call may use while it runs; the request itself is plain JSON. */
export interface Context {
  /** Fires on cancellation and when the lease is lost: stop, leave nothing half-done that an observer would take for whole. */
  readonly signal: AbortSignal
  /** `id` is the idempotency key: it survives a retry and a change of host. */
  readonly operation: { readonly id: string; readonly fence: Fence }
  /** Resolves the secret for the length of `use`. Rejects with `SECRET_MISSING` where it is not to be had. */
  secret<T>(reference: SecretReference, use: (value: string) => Promise<T>): Promise<T>
  /** Tells the engine what was seen; it stamps run, sequence and time. Never throws, never waits. */
  report(fact: Fact): void
  /** Hands over raw output (a build step's, a hook's). Await it: that is the back-pressure. */
  output(bytes: Uint8Array, at: { readonly step?: string; readonly stream: 'out' | 'err' }): Promise<void>
}

/** What a look at an adapter's far side said. */
export interface Probe {
  readonly ok: boolean
  /** One sentence: what answered, in which version, or why nothing did. */
  readonly summary: string
  /** Named abilities found or missing (`'isolation': 'namespaces'`, `'version': '1.34.4'`). */
  readonly details: Readonly<Record<string, string>>
}

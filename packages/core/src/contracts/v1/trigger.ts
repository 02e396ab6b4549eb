import type { Context, Probe } from './context.js'
import type { Json } from './json.js'

/** Says that a source changed; what that starts is the engine's decision. */
export interface Trigger {
  readonly contract: 'trigger/v1'
  readonly kind: string
  probe(context: Context): Promise<Probe>
  /** Reads a delivery (a webhook). `undefined`: it is not meant for this trigger. Never throws on a bad body: that is a refusal. */
  receive?(delivery: Delivery, context: Context): Promise<readonly SourceChange[] | Refusal | undefined>
  /** Looks for changes since `cursor`; the first look has none and answers with no changes. */
  poll?(
    cursor: Json | undefined,
    context: Context,
  ): Promise<{ readonly cursor: Json; readonly changes: readonly SourceChange[] }>
}

/** What came in over HTTP, the body as it was sent: signatures are over those bytes. */
export interface Delivery {
  readonly method: string
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export interface SourceChange {
  readonly repository: string
  readonly ref: string
  readonly kind: 'branch' | 'tag'
  /** Left out when the ref was deleted. */
  readonly commit?: string | undefined
  readonly before?: string | undefined
  readonly by?: string | undefined
  readonly message?: string | undefined
  /** Left out where the sender does not say. */
  readonly paths?: readonly string[] | undefined
  /** A second delivery with the same id is the same change. */
  readonly deliveryId?: string | undefined
}

export interface Refusal {
  readonly refused: true
  /** HTTP status. */
  readonly status: number
  readonly reason: string
}

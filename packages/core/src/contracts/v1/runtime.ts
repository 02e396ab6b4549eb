import type { Action } from './actions.js'
import type { Context, Probe } from './context.js'
import type { ImageSink } from './image.js'
import type { Snapshot } from './snapshot.js'

/** A place that runs images. It observes and acts; what to do next is the engine's decision. */
export interface Runtime {
  readonly contract: 'runtime/v1'
  readonly kind: string
  readonly traits: RuntimeTraits
  probe(context: Context): Promise<Probe>
  /**
   * Writes the operation's fence token on the target, and opens what is published, before the first act.
   * Rejects with `FENCED` when a newer token is there, and with `PORT_TAKEN`.
   */
  claim(target: Target, context: Context): Promise<void>
  /** Yields the whole state at once, and again after every change, until the signal fires. May be silent while it cannot see; never guesses. */
  observe(target: Target, context: Context): AsyncIterable<Snapshot>
  /**
   * Makes one write and resolves when it is accepted (stopping instances may take their grace); whether it took effect is for `observe` to show.
   * Of several writes that belong together the first decides the effect: once it is made, a failure says `done`.
   * Rejects with `CONFLICT` (revision moved, effect none), `FENCED` (older token, effect none), or with `effect: 'unknown'`.
   */
  act(target: Target, action: Action, context: Context): Promise<void>
  /** What would explain a slot's state to a person: last output, exit codes, the platform's events. Called before anything is removed. */
  evidence(target: Target, slot: string, context: Context): Promise<Evidence>
  /** Where an image is put before a slot uses it, for runtimes that do not pull (`takes` has no 'registry'). */
  sink?(context: Context): ImageSink
}

export interface RuntimeTraits {
  readonly takes: readonly ('registry' | 'engine' | 'layout')[]
  /** Whether the platform replaces instances one by one by itself. */
  readonly rolling: 'native' | 'composed'
}

/** One environment of one service on a runtime. */
export interface Target {
  readonly service: string
  readonly environment: string
  /** Kubernetes namespace and the like; runtimes without one ignore it. */
  readonly namespace?: string | undefined
  /** Belongs to the environment, not to a slot: whoever owns the port (an edge, a Service, a supervisor) is made by `claim` and outlives every slot. */
  readonly publish: Publish
}

/** How the service is reached from outside. `port` 0 = any free one, which then stays the same. */
export interface Publish {
  readonly protocol: 'http' | 'tcp'
  readonly address: string
  readonly port: number
}

export interface Evidence {
  readonly slot: string
  readonly instances: readonly {
    readonly id: string
    readonly exitCode?: number | undefined
    readonly reason?: string | undefined
    /** The last lines of output, redacted by the engine before anything else sees them. */
    readonly lastOutput: readonly string[]
  }[]
}

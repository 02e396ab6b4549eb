import type { Action, InstanceSpec } from './actions.js'
import type { Context, Probe } from './context.js'
import type { ImageSink } from './image.js'
import type { Json } from './json.js'
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
  /** What would explain the state of a slot, or of a task, to a person: last output, exit codes, the platform's events. Called before anything is removed. */
  evidence(target: Target, slotOrTask: string, context: Context): Promise<Evidence>
  /** What the instances of a slot print, oldest first; ends at once without `follow`, else with the signal. */
  logs?(target: Target, slot: string, options: LogOptions, context: Context): AsyncIterable<InstanceLog>
  /** What runs already, not made by Kiwi, described as a slot that can be taken over; changes nothing. `undefined`: nothing there. */
  adoptable?(target: Target, selector: Json, context: Context): Promise<Adoptable | undefined>
  /** Takes over what `adoptable` described, as the routed slot of that name, restarting nothing. */
  adopt?(target: Target, selector: Json, slot: string, context: Context): Promise<void>
  /** Where an image is put before a slot uses it, for runtimes that do not pull (`takes` has no 'registry'). */
  sink?(context: Context): ImageSink
}

export interface RuntimeTraits {
  readonly takes: readonly ('registry' | 'engine' | 'layout')[]
  /** Whether the platform replaces instances one by one by itself. */
  readonly rolling: 'native' | 'composed'
  /** Whether the route can go to several slots at once: without it a composed rolling update is not to be had. */
  readonly routes: 'one' | 'many'
}

export interface LogOptions {
  /** Milliseconds since 1970; left out: all that is kept. */
  readonly since?: number | undefined
  readonly follow: boolean
}

/** One line, without its end. */
export interface InstanceLog {
  readonly instance: string
  readonly stream: 'out' | 'err'
  /** Milliseconds since 1970, where the platform knows it. */
  readonly at?: number | undefined
  readonly text: string
}

/** Something that runs and could be taken over as a release. */
export interface Adoptable {
  readonly image: string
  /** Manifest digest, where the platform knows it. */
  readonly digest?: string | undefined
  readonly replicas: number
  readonly spec: InstanceSpec
  /** What would be different from a release that Kiwi made, in words. */
  readonly notes: readonly string[]
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
  /** The slot or the task. */
  readonly slot: string
  readonly instances: readonly {
    readonly id: string
    readonly exitCode?: number | undefined
    readonly reason?: string | undefined
    /** The last lines of output, redacted by the engine before anything else sees them. */
    readonly lastOutput: readonly string[]
  }[]
}

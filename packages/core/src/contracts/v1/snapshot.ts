/**
 * What an environment looks like, whole, as its runtime sees it now.
 * `revision` moves whenever something that was *ordered* changes (slots, replicas, route, claim), not when an instance merely becomes ready.
 */
export interface Snapshot {
  readonly revision: string
  /** The newest lease token that claimed this target, 0 when none has. */
  readonly fence: number
  readonly slots: readonly SlotState[]
  /** Commands that were run once, under way and finished. */
  readonly tasks: readonly TaskState[]
  readonly route: RouteState
}

/** The instances of one release. */
export interface SlotState {
  readonly id: string
  readonly release: string
  /** Manifest digest of the image it runs. */
  readonly digest: string
  /** How many instances were ordered; 0 = kept warm. */
  readonly replicas: number
  /** As many as were ordered, or more while some stop; one that the platform has not made yet is shown as `creating`, with its reason. */
  readonly instances: readonly InstanceState[]
}

/** A command that runs once. */
export interface TaskState {
  readonly id: string
  readonly slot: string
  readonly phase: 'creating' | 'running' | 'succeeded' | 'failed'
  readonly exitCode?: number | undefined
  /** The platform's own word; `start-failed` for one that can never start. */
  readonly reason?: string | undefined
  readonly message?: string | undefined
}

export interface InstanceState {
  readonly id: string
  readonly phase: 'creating' | 'running' | 'stopping' | 'exited'
  /** Passes its health check (or runs, when it has none). */
  readonly ready: boolean
  /** How often it was started again after it ended by itself. */
  readonly restarts: number
  /** How it ended last time, also of one that runs again. */
  readonly exitCode?: number | undefined
  /** The platform's own word (`OOMKilled`, `ImagePullBackOff`); `start-failed` for one that can never start. */
  readonly reason?: string | undefined
  /** The platform's own sentence, or the last thing the health check said. */
  readonly message?: string | undefined
}

/** Which slots get the traffic. */
export interface RouteState {
  readonly slots: readonly string[]
  /** Every new request goes to `slots` by now, on every path the runtime knows of; where it cannot know, after the time it usually takes. */
  readonly settled: boolean
  /** Requests or connections still open on slots that the route has left; left out where nobody can count them. */
  readonly draining?: number | undefined
  /** Where the service answers, as URLs (`http://127.0.0.1:8080`). */
  readonly addresses: readonly string[]
}

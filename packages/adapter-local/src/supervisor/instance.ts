import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HealthCheck, InstanceState } from '@kiwi/core'
import type { Launch } from './api.js'
import { described, explained } from './exit.js'
import type { Upstream } from './front/pick.js'
import { checkHealth, loopback } from './health.js'
import { type LogFile, openLog } from './log-file.js'
import { listenerOn, portIn } from './ports.js'
import { type Exit, endProcess, type RunningProcess, startProcess } from './process.js'

const startingPollMs = 75
const failuresUntilUnready = 3
const firstBackoffMs = 200
const maxBackoffMs = 5000
/** An instance that ran this long is forgiven its earlier crashes: the next restart comes quickly again. */
const forgivenAfterMs = 30_000
const drainPollMs = 20
const explainAfterMs = 1000

export interface InstanceOptions {
  readonly id: string
  readonly launch: Launch
  readonly health: HealthCheck
  readonly stopGraceMs: number
  readonly directory: string
  /** The environment's directory. */
  readonly environment: string
  readonly logFile: string
  /** Called after everything that a snapshot shows. */
  changed(): void
  /** Called when a request or connection through it has ended. */
  left(): void
}

/** One copy of the application: started at once, started again when it ends by itself, until it is stopped. */
export class Instance implements Upstream {
  readonly id: string
  agent = new Agent({ keepAlive: true })
  readonly #options: InstanceOptions
  readonly #stop = new AbortController()
  readonly #over: Promise<void>
  #state: Omit<InstanceState, 'id'> = { phase: 'creating', ready: false, restarts: 0 }
  #process: RunningProcess | undefined
  #open = 0
  #port = 0
  #host = '127.0.0.1'

  constructor(options: InstanceOptions) {
    this.id = options.id
    this.#options = options
    this.#over = this.#live()
  }

  get state(): InstanceState {
    return { id: this.id, ...this.#state }
  }

  /** Requests and connections that go through it now. */
  get open(): number {
    return this.#open
  }

  enter(): void {
    this.#open += 1
  }

  leave(): void {
    this.#open -= 1
    this.#options.left()
  }

  get ready(): boolean {
    return this.#state.ready
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: this.#host, port: this.#port }
  }

  /** Leaves the rotation, lets open requests end, then stops the command; both have the grace. Resolves when all is gone. */
  async stop(): Promise<void> {
    if (!this.#stop.signal.aborted) {
      this.#set({ phase: 'stopping', ready: false })
      this.#stop.abort()
      await this.#drained()
      const { launch, stopGraceMs } = this.#options
      if (this.#process !== undefined) await endProcess(this.#process, launch.stopSignal, stopGraceMs)
    }
    await this.#over
  }

  /** Ends everything at once, without grace. */
  async kill(): Promise<void> {
    this.#stop.abort()
    await this.#process?.kill()
    await this.#over
  }

  async #live(): Promise<void> {
    using log = openLog(this.#options.logFile)
    let backoffMs = firstBackoffMs
    while (!this.#stop.signal.aborted) {
      const started = performance.now()
      const exit = await this.#runOnce(log)
      if (this.#stop.signal.aborted) break
      if (performance.now() - started > forgivenAfterMs) backoffMs = firstBackoffMs
      this.#set({ phase: 'exited', ready: false, restarts: this.#state.restarts + 1, ...described(exit) })
      await sleep(backoffMs, undefined, { signal: this.#stop.signal }).catch(() => {})
      backoffMs = Math.min(backoffMs * 2, maxBackoffMs)
    }
    this.#set({ phase: 'exited', ready: false })
  }

  async #runOnce(log: LogFile): Promise<Exit> {
    const { launch, directory, environment, health } = this.#options
    const output = log.write
    const over = new AbortController()
    try {
      this.#port = await portIn(launch.network)
      this.#process = await startProcess({ launch, directory, environment, port: this.#port, output })
      const hosts = this.#process.host === undefined ? loopback : [this.#process.host]
      if (this.#stop.signal.aborted) await this.#process.kill()
      else this.#set({ phase: 'running' })
      void this.#watch(health, hosts, over.signal)
      return explained(await this.#process.ended, launch, directory, this.#options.logFile)
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) }
    } finally {
      over.abort()
      log.endLines()
      this.#process = undefined
      this.agent.destroy()
      this.agent = new Agent({ keepAlive: true })
    }
  }

  /** Looks often until the application is up, then as often as asked; a single slow answer does not take it out. */
  async #watch(check: HealthCheck, hosts: readonly string[], over: AbortSignal): Promise<void> {
    const explainFrom = performance.now() + explainAfterMs
    let deaf: string | undefined
    let failures = 0
    while (!over.aborted) {
      const finding = await checkHealth(check, this.#port, hosts)
      if (over.aborted || this.#stop.signal.aborted) return
      failures = finding.healthy ? 0 : failures + 1
      if (finding.healthy) {
        this.#host = finding.host
        if (!this.ready) this.#set({ ready: true, message: undefined })
      } else if (!this.ready || failures >= failuresUntilUnready) {
        deaf ??= finding.refused && performance.now() > explainFrom ? await this.#explain() : undefined
        this.#set({ ready: false, message: deaf === undefined ? finding.problem : `${finding.problem}; ${deaf}` })
      }
      const pauseMs = this.ready ? check.intervalMs : Math.min(startingPollMs, check.intervalMs)
      await sleep(pauseMs, undefined, { signal: over }).catch(() => {})
    }
  }

  /** The most common reason why nothing listens: the application has its own mind about the port. */
  async #explain(): Promise<string | undefined> {
    const { kind, port } = this.#options.launch.network
    const other = kind === 'host' && port !== this.#port ? await listenerOn(port) : undefined
    if (other === undefined) return undefined
    const advice = "it has to listen on the port that PORT tells, or the runtime needs network: 'own'"
    return `${other.name} (process ${other.pid}) listens on port ${port}: if that is the application, ${advice}`
  }

  async #drained(): Promise<void> {
    const deadline = performance.now() + this.#options.stopGraceMs
    while (this.#open > 0 && performance.now() < deadline) await sleep(drainPollMs)
  }

  #set(part: Partial<Omit<InstanceState, 'id'>>): void {
    const next = { ...this.#state, ...part }
    const changed = JSON.stringify(next) !== JSON.stringify(this.#state)
    this.#state = next
    if (changed) this.#options.changed()
  }
}

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Evidence, TaskState } from '@kiwi/core'
import type { Launch } from './api.js'
import { described, explained } from './exit.js'
import { openLog, readTail } from './log-file.js'
import { portIn } from './ports.js'
import { endProcess, type RunningProcess, startProcess } from './process.js'
import type { TaskOrder, TaskOutcome } from './state.js'

export interface TaskOptions {
  /** The environment's. */
  readonly directory: string
  /** Only with it the command is started; without it, and without an outcome, nobody knows how far it came. */
  readonly launch: Launch | undefined
  /** Resolves when a task that had this name before is gone. */
  readonly after: Promise<unknown>
  /** Called after everything that a snapshot shows. */
  changed(): void
}

/** A command that is run once, to its end. Started at once. */
export class Task {
  readonly order: TaskOrder
  readonly #options: TaskOptions
  readonly #stop = new AbortController()
  readonly #over: Promise<void>
  #phase: 'creating' | 'running' = 'creating'
  #outcome: TaskOutcome | undefined
  #process: RunningProcess | undefined

  constructor(order: TaskOrder, options: TaskOptions) {
    this.order = order
    this.#options = options
    this.#outcome = order.outcome
    this.#over = this.#live()
  }

  get state(): TaskState {
    const { id, slot } = this.order
    return { id, slot, ...(this.#outcome ?? { phase: this.#phase }) }
  }

  get outcome(): TaskOutcome | undefined {
    return this.#outcome
  }

  get evidence(): Evidence {
    const { id } = this.order
    const { exitCode, reason } = this.#outcome ?? {}
    return { slot: id, instances: [{ id, exitCode, reason, lastOutput: readTail(this.#logFile) }] }
  }

  /** Resolves when the command has ended. */
  get over(): Promise<void> {
    return this.#over
  }

  /** Ends the command with its grace. */
  async stop(): Promise<void> {
    this.#stop.abort()
    if (this.#process !== undefined)
      await endProcess(this.#process, this.#options.launch?.stopSignal ?? 'SIGTERM', this.order.stopGraceMs)
    await this.#over
  }

  /** Ends the command with its grace, and removes what it wrote on the image and printed. */
  async remove(): Promise<void> {
    await this.stop()
    for (const path of [this.#logFile, `${this.#logFile}.1`]) await rm(path, { force: true })
  }

  async #live(): Promise<void> {
    if (this.#outcome !== undefined) return
    const { launch, after } = this.#options
    await after
    this.#outcome = launch === undefined ? lost : await this.#run(launch)
    for (const path of [this.#folder, this.order.root.made]) await rm(path, { recursive: true, force: true })
    this.#options.changed()
  }

  async #run(launch: Launch): Promise<TaskOutcome> {
    using log = openLog(this.#logFile)
    const { directory: environment } = this.#options
    const directory = this.#folder
    try {
      const port = await portIn(launch.network)
      if (this.#stop.signal.aborted) return stopped
      this.#process = await startProcess({ launch, directory, environment, port, output: log.write })
      if (this.#stop.signal.aborted) await this.#process.kill()
      this.#phase = 'running'
      this.#options.changed()
      const exit = await this.#process.ended
      log.endLines()
      return {
        ...described(explained(exit, launch, directory, this.#logFile)),
        phase: exit.code === 0 ? 'succeeded' : 'failed',
      }
    } catch (error) {
      return { phase: 'failed', ...described({ error: error instanceof Error ? error.message : String(error) }) }
    }
  }

  get #folder(): string {
    return join(this.#options.directory, 'tasks', this.order.id)
  }

  get #logFile(): string {
    return join(this.#options.directory, 'task-logs', `${this.order.id}.log`)
  }
}

const stopped: TaskOutcome = { phase: 'failed', reason: 'stopped', message: 'it was stopped before it was started' }

const lost: TaskOutcome = {
  phase: 'failed',
  reason: 'supervisor-ended',
  message: 'the supervisor ended while it ran, and it with it: nobody knows how far it came',
}

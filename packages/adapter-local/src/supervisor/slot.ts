import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Evidence, InstanceState, SlotState } from '@kiwi/core'
import type { Launch } from './api.js'
import { Instance } from './instance.js'
import { logsOf, pruneLogs, readTail } from './log-file.js'
import type { SlotOrder } from './state.js'

export interface SlotOptions {
  /** The environment's. */
  readonly directory: string
  changed(): void
  /** Called when a request through one of the instances has ended. */
  left(): void
  /** Resolves when a slot that had this id before is gone; undefined when there is none. */
  readonly after: Promise<void> | undefined
}

/** The instances of one release: as many as ordered, as soon as it is known how to start them. */
export class Slot {
  order: SlotOrder
  #launch: Launch | undefined
  #instances: Instance[] = []
  #leaving = new Set<Instance>()
  #waiting: Promise<void> | undefined
  readonly #options: SlotOptions

  constructor(order: SlotOrder, options: SlotOptions) {
    this.order = order
    this.#options = options
    this.#waiting = options.after?.then(() => {
      this.#waiting = undefined
      this.#fill()
    })
  }

  /** All that take requests when the slot is routed. */
  get ready(): readonly Instance[] {
    return this.#instances.filter((instance) => instance.ready)
  }

  get open(): number {
    return this.#all.reduce((sum, instance) => sum + instance.open, 0)
  }

  get state(): SlotState {
    const { id, release, digest, replicas } = this.order
    const instances = this.#all.map((instance) => instance.state)
    return { id, release, digest, replicas, instances: [...instances, ...this.#awaited] }
  }

  get evidence(): Evidence {
    const states = new Map(this.#all.map(({ state }) => [state.id, state]))
    const logs = logsOf(this.#logs, this.order.id).map((name) => name.replace(/\.log$/, ''))
    const instances = [...new Set([...states.keys(), ...logs])].map((id) => {
      const { exitCode, reason } = states.get(id) ?? {}
      const ended = { ...(exitCode === undefined ? {} : { exitCode }), ...(reason === undefined ? {} : { reason }) }
      return { id, ...ended, lastOutput: readTail(join(this.#logs, `${id}.log`)) }
    })
    return { slot: this.order.id, instances }
  }

  /** Instances are ordered, but only a new ensure-slot can tell how to start them. */
  get stranded(): boolean {
    return this.#launch === undefined
  }

  /** Takes the order over: starts what is missing, stops what is too much. Returns at once. */
  apply(order: SlotOrder, launch?: Launch): void {
    this.order = order
    this.#launch ??= launch
    const surplus = this.#instances.length - order.replicas
    for (const instance of surplus > 0 ? leastUseful(this.#instances, surplus) : []) void this.#stop(instance)
    this.#fill()
  }

  /** Stops everything with its grace, and removes what the instances wrote. */
  async remove(): Promise<void> {
    const { root } = this.order
    await this.stop()
    await rm(this.#folder, { recursive: true, force: true })
    await rm(root.made, { recursive: true, force: true })
    pruneLogs(this.#logs)
  }

  /** Stops everything with its grace. */
  async stop(): Promise<void> {
    this.order = { ...this.order, replicas: 0 }
    await this.#waiting
    await Promise.all(this.#all.map((instance) => this.#stop(instance)))
  }

  get #all(): readonly Instance[] {
    return [...this.#instances, ...this.#leaving]
  }

  /** Ordered, but a slot of that name still stops. Stranded ones are not shown: nothing makes them but a new order. */
  get #awaited(): readonly InstanceState[] {
    const missing = this.#waiting === undefined || this.stranded ? 0 : this.order.replicas - this.#instances.length
    return Array.from({ length: Math.max(0, missing) }, (_, index) => ({
      id: `${this.order.id}-${index + 1}`,
      phase: 'creating',
      ready: false,
      restarts: 0,
      reason: 'waiting',
      message: `the instances that had the name ${this.order.id} before still stop`,
    }))
  }

  get #folder(): string {
    return join(this.#options.directory, 'slots', this.order.id)
  }

  #fill(): void {
    const launch = this.#launch
    if (launch === undefined || this.#waiting !== undefined) return
    while (this.#instances.length < this.order.replicas) this.#instances.push(this.#start(launch))
    this.#options.changed()
  }

  #start(launch: Launch): Instance {
    const id = this.#freeId()
    const { health, stopGraceMs } = this.order
    const directory = join(this.#folder, id)
    const { directory: environment, changed, left } = this.#options
    return new Instance({
      id,
      launch,
      health,
      stopGraceMs,
      directory,
      environment,
      logFile: join(this.#logs, `${id}.log`),
      changed,
      left,
    })
  }

  #freeId(): string {
    const taken = new Set(this.#all.map(({ id }) => id))
    let number = 1
    while (taken.has(`${this.order.id}-${number}`)) number += 1
    return `${this.order.id}-${number}`
  }

  get #logs(): string {
    return join(this.#options.directory, 'logs')
  }

  async #stop(instance: Instance): Promise<void> {
    this.#instances = this.#instances.filter((other) => other !== instance)
    this.#leaving.add(instance)
    await instance.stop()
    this.#leaving.delete(instance)
    this.#options.changed()
  }
}

/** Those that serve nobody first, then the youngest. */
function leastUseful(instances: readonly Instance[], count: number): readonly Instance[] {
  const youngestFirst = [...instances].reverse()
  return [...youngestFirst.filter(({ ready }) => !ready), ...youngestFirst.filter(({ ready }) => ready)].slice(0, count)
}

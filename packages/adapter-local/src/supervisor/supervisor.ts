import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Snapshot } from '@kiwi/core'
import type {
  ActAnswer,
  ActRequest,
  ClaimRequest,
  EvidenceAnswer,
  Launch,
  OrderedAction,
  SnapshotAnswer,
} from './api.js'
import { trackChanges } from './changes.js'
import { removeLeftGroups } from './control-group.js'
import { Front } from './front/front.js'
import { takeTurns } from './front/pick.js'
import { killLeftovers } from './leftovers.js'
import { removeMade, removeUnused } from './made.js'
import { removeLeftRules } from './network.js'
import { claimed, needsLaunch, ordered, refuseOlder, stillStopping } from './orders.js'
import { Slot } from './slot.js'
import { toSnapshot } from './snapshot.js'
import { loadState, type SlotOrder, type State, saveState, type TaskOrder } from './state.js'
import { Task } from './task.js'

/** Owns one environment on this machine: its port and its instances. Takes orders one at a time, each on the disk before it is carried out. */
export class Supervisor {
  readonly #directory: string
  readonly #changes = trackChanges(`${process.pid}-${Math.round(performance.timeOrigin)}`)
  readonly #front = new Front(takeTurns(() => this.#routed.flatMap((slot) => slot.ready)))
  readonly #slots = new Map<string, Slot>()
  readonly #tasks = new Map<string, Task>()
  /** Removed, but not gone yet. */
  readonly #leaving = new Map<Slot | Task, Promise<void>>()
  #state: State
  #queue: Promise<unknown> = Promise.resolve()

  static async start(directory: string): Promise<Supervisor> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const supervisor = new Supervisor(directory, await loadState(directory))
    await supervisor.#resume()
    return supervisor
  }

  private constructor(directory: string, state: State) {
    this.#directory = directory
    this.#state = state
  }

  /** Resolves when the token is on the disk and the port is open. */
  claim({ token, publish }: ClaimRequest): Promise<void> {
    return this.#oneAtATime(async () => {
      refuseOlder(this.#state, token)
      const listener = await this.#front.prepare(publish, this.#state.front?.port)
      try {
        await this.#commit(claimed(this.#state, token, { publish, port: listener.port }))
      } catch (error) {
        await listener.undo()
        throw error
      }
      listener.use()
      this.#changes.bump()
    })
  }

  act({ token, action }: ActRequest): Promise<ActAnswer> {
    return this.#oneAtATime(async () => {
      const before = this.#withOutcomes
      const stranded = new Set([...this.#slots.values()].filter((slot) => slot.stranded).map(({ order }) => order.id))
      const launch = 'launch' in action ? action.launch : undefined
      if (launch === undefined && needsLaunch(before, action, token, stranded)) return { launch: 'wanted' }
      const next = ordered(before, action, token, stranded)
      if (action.type === 'remove-target') return this.#removeTarget(next)
      if (isServing(action)) await this.#openFront()
      await this.#commit(next)
      this.#apply(action, launch)
      const kept = [...next.slots, ...next.tasks].some(({ root }) => root.made === launch?.root.made)
      if (kept && action.type === 'ensure-slot' && stranded.has(action.slot)) await removeMade(before, action.slot)
      return { launch: kept ? 'kept' : 'needless' }
    })
  }

  /** Volumes stay: what is in them is not Kiwi's. */
  async #removeTarget(next: State): Promise<ActAnswer> {
    const leaving = [...this.#leaving]
    if (leaving.some(([one]) => one instanceof Slot)) throw stillStopping()
    await Promise.all(leaving.map(([, gone]) => gone)) // tasks, which end with their grace
    await this.#commit(next)
    this.#apply()
    this.#front.close()
    for (const name of ['made', 'slots', 'logs', 'tasks', 'task-logs'])
      await rm(join(this.#directory, name), { recursive: true, force: true })
    return { launch: 'needless' }
  }

  /** Resolves with a state that differs from the one named `after`, or with the newest when the signal fires. */
  async snapshot(after: string | undefined, signal: AbortSignal): Promise<SnapshotAnswer> {
    await this.#changes.wait(after, signal)
    return { change: this.#changes.newest, snapshot: this.#look() }
  }

  evidence(id: string): EvidenceAnswer {
    return (this.#slots.get(id) ?? this.#tasks.get(id))?.evidence ?? { slot: id, instances: [] }
  }

  /** Nothing runs, and nobody has claimed the port. A directory that somebody has removed holds no claims any more. */
  get idle(): boolean {
    const claimed = this.#state.front !== undefined && existsSync(this.#directory)
    return !claimed && this.#isEmpty && [...this.#tasks.values()].every(({ outcome }) => outcome !== undefined)
  }

  get #isEmpty(): boolean {
    return this.#slots.size === 0 && this.#leaving.size === 0
  }

  /** Closes the port and stops everything with its grace. The orders stay on the disk, unless `forget`. */
  shutdown({ forget }: { readonly forget: boolean }): Promise<void> {
    return this.#oneAtATime(async () => {
      this.#front.close()
      const { revision } = this.#state
      if (forget) await this.#commit({ ...this.#state, slots: [], tasks: [], route: [], revision: revision + 1 })
      if (forget) this.#apply()
      await Promise.all([...this.#slots.values(), ...this.#tasks.values()].map((one) => one.stop()))
      await Promise.all(this.#leaving.values())
      await this.#commit(this.#withOutcomes)
    })
  }

  #oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work)
    this.#queue = done.catch(() => {})
    return done
  }

  /** An earlier supervisor's orders hold; its instances went with it, and what they wrote goes now. */
  async #resume(): Promise<void> {
    for (const name of ['slots', 'tasks']) {
      await killLeftovers(join(this.#directory, name))
      await rm(join(this.#directory, name), { recursive: true, force: true })
    }
    await removeLeftRules(this.#directory)
    await removeLeftGroups(this.#directory)
    const { slots, tasks } = this.#state
    await removeUnused(join(this.#directory, 'made'), new Set([...slots, ...tasks].map(({ root }) => root.made)))
    await this.#openFront().catch(() => {}) // the next order tells who has the port
    this.#apply()
  }

  /** Opens the port again that the claim opened, if this process has not got it. Rejects with `PORT_TAKEN`. */
  async #openFront(): Promise<void> {
    const { front } = this.#state
    if (front === undefined || this.#front.isOpen) return
    const listener = await this.#front.prepare(front.publish, front.port)
    listener.use()
  }

  async #commit(next: State): Promise<void> {
    if (next === this.#state) return
    await saveState(this.#directory, next)
    this.#state = next
  }

  /** The orders as they stand, with what became of the tasks meanwhile. */
  get #withOutcomes(): State {
    const news = this.#state.tasks.some(({ id, outcome }) => outcome === undefined && this.#outcomeOf(id) !== undefined)
    if (!news) return this.#state
    const tasks = this.#state.tasks.map((order) => ({ ...order, outcome: order.outcome ?? this.#outcomeOf(order.id) }))
    return { ...this.#state, tasks }
  }

  #outcomeOf(task: string) {
    return this.#tasks.get(task)?.outcome
  }

  /** `launch` is how to start what `action` has ordered. */
  #apply(action?: OrderedAction, launch?: Launch): void {
    const { slots, tasks } = this.#state
    const wanted = new Map(slots.map((order) => [order.id, order.fingerprint]))
    for (const [id, slot] of this.#slots) if (wanted.get(id) !== slot.order.fingerprint) this.#remove(slot)
    for (const [id, task] of this.#tasks) if (tasks.every((order) => order.id !== id)) this.#remove(task)
    const launchOf = (type: OrderedAction['type'], id: string) =>
      action?.type === type && id === ('task' in action ? action.task : 'slot' in action && action.slot)
        ? launch
        : undefined
    for (const order of slots) this.#slotOf(order).apply(order, launchOf('ensure-slot', order.id))
    for (const order of tasks) if (!this.#tasks.has(order.id)) this.#start(order, launchOf('run-once', order.id))
    this.#changes.bump()
  }

  #start(order: TaskOrder, launch: Launch | undefined): void {
    const before = [...this.#leaving].filter(([one]) => one instanceof Task && one.order.id === order.id)
    const task = new Task(order, {
      directory: this.#directory,
      launch,
      after: Promise.all(before.map(([, gone]) => gone)),
      changed: () => this.#changes.bump(),
    })
    this.#tasks.set(order.id, task)
    task.over
      .then(() => this.#oneAtATime(() => this.#commit(this.#withOutcomes)))
      .catch((error: unknown) => console.error(`what became of task ${order.id} could not be written down:`, error))
  }

  #slotOf(order: SlotOrder): Slot {
    const known = this.#slots.get(order.id)
    if (known !== undefined) return known
    const before = [...this.#leaving]
      .filter(([one]) => one instanceof Slot && one.order.id === order.id)
      .map(([, gone]) => gone)
    const slot = new Slot(order, {
      directory: this.#directory,
      after: before.length === 0 ? undefined : Promise.all(before).then(() => {}),
      changed: () => this.#changes.bump(),
      left: () => {
        if (!this.#state.route.includes(order.id)) this.#changes.bump()
      },
    })
    this.#slots.set(order.id, slot)
    return slot
  }

  #remove(one: Slot | Task): void {
    if (one instanceof Slot) this.#slots.delete(one.order.id)
    else this.#tasks.delete(one.order.id)
    const gone = one.remove().finally(() => {
      this.#leaving.delete(one)
      this.#changes.bump()
    })
    this.#leaving.set(one, gone)
  }

  get #routed(): readonly Slot[] {
    return this.#state.route.flatMap((id) => this.#slots.get(id) ?? [])
  }

  #look(): Snapshot {
    const leaving = [...this.#leaving.keys()]
    const slots = leaving.filter((one) => one instanceof Slot)
    const tasks = leaving.filter((one) => one instanceof Task)
    return toSnapshot(this.#state, {
      slots: { ordered: this.#slots, leaving: slots },
      tasks: { ordered: this.#tasks, leaving: tasks },
      address: this.#front.address,
    })
  }
}

/** Needs the published port. */
function isServing(action: OrderedAction): boolean {
  return action.type === 'ensure-slot' || (action.type === 'route' && action.to.length > 0)
}

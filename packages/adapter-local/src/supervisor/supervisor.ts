import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { RouteState, Snapshot } from '@kiwi/core'
import type { ActAnswer, ActRequest, ClaimRequest, EvidenceAnswer, Launch, SnapshotAnswer } from './api.js'
import { trackChanges } from './changes.js'
import { Front } from './front/front.js'
import { takeTurns } from './front/pick.js'
import { killLeftovers } from './leftovers.js'
import { removeLeftRules } from './network.js'
import { claimed, ordered, refuseOlder } from './orders.js'
import { Slot } from './slot.js'
import { loadState, type SlotOrder, type State, saveState } from './state.js'

const unusedAfterMs = 3_600_000

/** Owns one environment on this machine: its port and its instances. Takes orders one at a time, each on the disk before it is carried out. */
export class Supervisor {
  readonly #directory: string
  readonly #changes = trackChanges(`${process.pid}-${Math.round(performance.timeOrigin)}`)
  readonly #front = new Front(takeTurns(() => this.#routed.flatMap((slot) => slot.ready)))
  readonly #slots = new Map<string, Slot>()
  /** Removed, but not gone yet. */
  readonly #leaving = new Map<Slot, Promise<void>>()
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
      const before = this.#state
      const stranded = new Set([...this.#slots.values()].filter((slot) => slot.stranded).map(({ order }) => order.id))
      const next = ordered(before, action, token, stranded)
      await this.#openFront()
      await this.#commit(next)
      this.#apply(action.type === 'ensure-slot' ? { [action.slot]: action.launch } : {})
      if (action.type !== 'ensure-slot') return { launchKept: false }
      const { made } = action.launch.root
      const launchKept = next.slots.some(({ root }) => root.made === made)
      const old = before.slots.find(({ id }) => id === action.slot)?.root.made
      if (launchKept && old !== undefined && stranded.has(action.slot)) await rm(old, { recursive: true, force: true })
      return { launchKept }
    })
  }

  /** Resolves with a state that differs from the one named `after`, or with the newest when the signal fires. */
  async snapshot(after: string | undefined, signal: AbortSignal): Promise<SnapshotAnswer> {
    await this.#changes.wait(after, signal)
    return { change: this.#changes.newest, snapshot: this.#look() }
  }

  evidence(id: string): EvidenceAnswer {
    return this.#slots.get(id)?.evidence ?? { slot: id, instances: [] }
  }

  /** Nothing runs and nothing is ordered. */
  get idle(): boolean {
    return this.#slots.size === 0 && this.#leaving.size === 0
  }

  /** Closes the port and stops everything with its grace. The orders stay on the disk, unless `forget`. */
  shutdown({ forget }: { readonly forget: boolean }): Promise<void> {
    return this.#oneAtATime(async () => {
      this.#front.close()
      if (forget) await this.#commit({ ...this.#state, slots: [], route: [], revision: this.#state.revision + 1 })
      if (forget) this.#apply({})
      await Promise.all([...this.#slots.values()].map((slot) => slot.stop()))
      await Promise.all(this.#leaving.values())
    })
  }

  #oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work)
    this.#queue = done.catch(() => {})
    return done
  }

  /** An earlier supervisor's orders hold; its instances went with it, and what they wrote goes now. */
  async #resume(): Promise<void> {
    await killLeftovers(join(this.#directory, 'slots'))
    await removeLeftRules(this.#directory)
    await rm(join(this.#directory, 'slots'), { recursive: true, force: true })
    await removeUnused(join(this.#directory, 'made'), new Set(this.#state.slots.map(({ root }) => root.made)))
    if (this.#state.slots.length > 0) await this.#openFront().catch(() => {}) // the next order tells who has the port
    this.#apply({})
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

  #apply(launches: Readonly<Record<string, Launch>>): void {
    const wanted = new Map(this.#state.slots.map((order) => [order.id, order.fingerprint]))
    for (const [id, slot] of this.#slots) if (wanted.get(id) !== slot.order.fingerprint) this.#remove(slot)
    for (const order of this.#state.slots) this.#slotOf(order).apply(order, launches[order.id])
    this.#changes.bump()
  }

  #slotOf(order: SlotOrder): Slot {
    const known = this.#slots.get(order.id)
    if (known !== undefined) return known
    const before = [...this.#leaving].filter(([slot]) => slot.order.id === order.id).map(([, gone]) => gone)
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

  #remove(slot: Slot): void {
    this.#slots.delete(slot.order.id)
    const gone = slot.remove().finally(() => {
      this.#leaving.delete(slot)
      this.#changes.bump()
    })
    this.#leaving.set(slot, gone)
  }

  get #routed(): readonly Slot[] {
    return this.#state.route.flatMap((id) => this.#slots.get(id) ?? [])
  }

  #look(): Snapshot {
    const leaving = [...this.#leaving.keys()].filter((slot) => !this.#slots.has(slot.order.id))
    const slots = [...this.#slots.values(), ...leaving].map((slot) => slot.state)
    return { revision: String(this.#state.revision), fence: this.#state.fence, slots, route: this.#lookAtRoute() }
  }

  #lookAtRoute(): RouteState {
    const { route } = this.#state
    const left = [...this.#slots.values(), ...this.#leaving.keys()].filter((slot) => !route.includes(slot.order.id))
    const draining = left.reduce((sum, slot) => sum + slot.open, 0)
    const { address } = this.#front
    return { slots: route, settled: true, draining, addresses: address && route.length > 0 ? [address] : [] }
  }
}

/** Made for orders that were never given. A young one may be on its way. */
async function removeUnused(directory: string, used: ReadonlySet<string>): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  for (const path of names.map((name) => join(directory, name))) {
    const ageMs = Date.now() - (await stat(path)).mtimeMs
    if (!used.has(path) && ageMs > unusedAfterMs) await rm(path, { recursive: true, force: true })
  }
}

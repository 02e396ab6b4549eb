import type { Action } from '../../contracts/v1/actions.js'
import type { InstanceState, Snapshot, TaskState } from '../../contracts/v1/snapshot.js'
import type { Random } from './random.js'
import type { Fate, Scenario } from './scenario.js'

interface Instance {
  readonly id: string
  state: InstanceState
  /** When it goes on: starts, gets ready, ends, is gone. */
  dueAt: number
}

interface Slot {
  readonly id: string
  readonly release: string
  fate: Fate
  replicas: number
  instances: Instance[]
  removed: boolean
}

interface Task {
  state: TaskState
  dueAt: number
}

/** A runtime without promises and without a clock of its own: it is told the time and lives on by chance. */
export interface World {
  readonly now: number
  readonly settledAt: number
  advance(milliseconds: number): void
  snapshot(): Snapshot
  /** Makes the write, or says that the revision has moved, or that it cannot be made. */
  act(action: Action): 'done' | 'conflict' | 'refused'
  /** Another process takes the target. */
  claim(): void
  /** A ready instance ends; false when there is none. */
  kill(): boolean
  /** Someone else changes something. */
  meddle(): void
}

const stopMs = 4_000

export function worldOf(
  { standing, route: routed, fate, task: taskFate, wanted, procedure }: Scenario,
  random: Random,
): World {
  let now = 0
  let revision = 1
  let fence = 1
  let route = routed
  let settledAt = 0
  let made = 0
  let tasks: Task[] = []
  let slots: Slot[] = standing.map(({ id, release, replicas, ready, fate }) => {
    const instances = Array.from({ length: replicas }, (_, index) => born(id, index < ready))
    return { id, release, fate, replicas, instances, removed: false }
  })

  function born(slot: string, ready = false): Instance {
    made += 1
    const id = `${slot}-${made}`
    const state: InstanceState = { id, phase: ready ? 'running' : 'creating', ready, restarts: 0 }
    return { id, state, dueAt: now + random.between(100, 3_000) }
  }

  function live(slot: Slot, instance: Instance): void {
    const { state } = instance
    const become = (part: Partial<InstanceState>, inMs: number) => {
      instance.state = { ...state, ...part }
      instance.dueAt = now + inMs
    }
    if (state.phase === 'stopping' || state.ready) return
    if (slot.fate === 'unstartable') {
      become({ phase: 'exited', reason: 'start-failed' }, 60_000)
      return
    }
    if (slot.fate === 'unpullable') {
      become({ reason: 'ErrImagePull', message: 'manifest unknown' }, 60_000)
      return
    }
    const { phase, restarts } = state
    if (phase !== 'running') {
      become({ phase: 'running' }, slot.fate === 'slow' ? random.between(1_000, 15_000) : 500)
      return
    }
    if (slot.fate === 'never') {
      become({ message: 'GET / was refused' }, 60_000)
      return
    }
    const ends = slot.fate === 'crashes' || (slot.fate === 'flaky' && random.chance(0.3))
    if (ends) {
      become({ phase: 'exited', restarts: restarts + 1, exitCode: 1 }, random.between(200, 3_000))
      return
    }
    become({ ready: true }, 0)
  }

  function ensure(slot: Slot, replicas: number): void {
    slot.replicas = replicas
    const staying = slot.instances.filter(({ state }) => state.phase !== 'stopping')
    while (staying.length < replicas) {
      const instance = born(slot.id)
      staying.push(instance)
      slot.instances.push(instance)
    }
    const bears = procedure === 'rolling' && slot.id !== wanted.slot // whichever instances of the old slot are chosen
    for (let surplus = staying.length - replicas; surplus > 0; surplus -= 1) {
      const left = staying.filter(({ state }) => state.phase !== 'stopping')
      const useless = bears ? [] : left.filter(({ state }) => !state.ready)
      const victim = random.pickOne(useless.length > 0 ? useless : left)
      if (victim) stop(victim)
    }
  }

  function stop(instance: Instance): void {
    instance.state = { ...instance.state, phase: 'stopping', ready: false }
    instance.dueAt = now + random.between(0, stopMs)
  }

  function moveRoute(to: readonly string[]): void {
    route = to
    settledAt = now + random.between(0, 3_000)
  }

  function apply(action: Action): boolean {
    const slot = 'slot' in action ? slots.find(({ id, removed }) => id === action.slot && !removed) : undefined
    switch (action.type) {
      case 'ensure-slot': {
        const { slot: id, release, replicas } = action
        const own = id === wanted.slot ? fate : 'good'
        const there = slot ?? { id, release, fate: own, replicas: 0, instances: [], removed: false }
        if (!slot) slots.push(there)
        if (id === wanted.slot) there.fate = fate
        ensure(there, replicas)
        return true
      }
      case 'route':
        if (action.to.some((id) => !slots.some((one) => one.id === id && !one.removed))) return false
        moveRoute(action.to)
        return true
      case 'run-once':
        if (!tasks.some(({ state }) => state.id === action.task))
          tasks.push({ state: { id: action.task, slot: action.slot, phase: 'creating' }, dueAt: now + 500 })
        return true
      case 'remove-slot':
        return removeSlot(action.slot)
      case 'remove-target':
        if (slots.length > 0) return false
        fence = 0
        tasks = []
        return true
    }
  }

  function removeSlot(id: string): boolean {
    if (route.includes(id)) return false
    tasks = tasks.filter(({ state }) => state.slot !== id)
    for (const slot of slots.filter((one) => one.id === id && !one.removed)) {
      slot.removed = true
      slot.replicas = 0
      for (const instance of slot.instances) stop(instance)
    }
    return true
  }

  function liveTask(task: Task): void {
    const { phase } = task.state
    if (phase === 'succeeded' || phase === 'failed') return
    if (phase === 'creating') task.state = { ...task.state, phase: 'running' }
    else if (taskFate !== 'hangs')
      task.state = {
        ...task.state,
        phase: taskFate === 'fails' ? 'failed' : 'succeeded',
        exitCode: Number(taskFate === 'fails'),
      }
    task.dueAt = now + random.between(500, 6_000)
  }

  return {
    get now() {
      return now
    },
    get settledAt() {
      return settledAt
    },
    advance(milliseconds) {
      now += milliseconds
      for (const slot of slots) {
        slot.instances = slot.instances.filter(({ state, dueAt }) => state.phase !== 'stopping' || dueAt > now)
        for (const instance of slot.instances) if (instance.dueAt <= now) live(slot, instance)
      }
      slots = slots.filter(({ removed, instances }) => !removed || instances.length > 0)
      for (const task of tasks) if (task.dueAt <= now) liveTask(task)
    },
    snapshot: () => ({
      revision: String(revision),
      fence,
      slots: slots.map(({ id, release, replicas, instances }) => ({
        id,
        release,
        digest: `sha256:${release}`,
        replicas,
        instances: instances.map(({ state }) => state),
      })),
      tasks: tasks.map(({ state }) => state),
      route: { slots: route, settled: now >= settledAt, addresses: [] },
    }),
    act(action) {
      if (action.revision !== String(revision)) return 'conflict'
      if (!apply(action)) return 'refused'
      revision += 1
      return 'done'
    },
    claim() {
      fence += 1
      revision += 1
    },
    kill() {
      const victim = random.pickOne(slots.flatMap((slot) => slot.instances.filter(({ state }) => state.ready)))
      if (!victim) return false
      const { state } = victim
      victim.state = { ...state, phase: 'exited', ready: false, restarts: state.restarts + 1, exitCode: 137 }
      victim.dueAt = now + random.between(500, 40_000)
      return true
    },
    meddle() {
      const standing = slots.filter(({ removed }) => !removed)
      const one = random.pickOne(standing)
      const deed = random.pick(['remove', 'route', 'close', 'scale', 'lose'])
      if (deed === 'remove' && one) removeSlot(one.id)
      if (deed === 'route' && one) moveRoute([one.id])
      if (deed === 'close') moveRoute([])
      if (deed === 'scale' && one) ensure(one, random.between(route.includes(one.id) ? 1 : 0, 4))
      if (deed === 'lose' && one) one.instances = one.instances.slice(1)
      revision += 1
    },
  }
}

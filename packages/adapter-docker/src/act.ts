import { type Action, type Context, type EnsureSlot, KiwiError, type ScaleSlot, type Target } from '@kiwi/core'
import type { ContainerCreateOptions, ContainerInspectInfo } from 'dockerode'
import { checkKindOf } from './edge/config.js'
import { type Edge, type Engine, enterEdge } from './edge/edge.js'
import { lanes, laneWidth } from './edge/places.js'
import type { EdgeCommand, EdgeState, Lane } from './edge/protocol.js'
import { afterWrite } from './errors.js'
import { indexOf, instancesOf, isMember, laneOf, membersOf, revisionOf, type World } from './facts.js'
import {
  createContainer,
  type InstancePlace,
  instanceBody,
  instanceBodyLike,
  specHash,
  withEnvironment,
} from './instance/create.js'
import { removeInstances, startInstance, stopInstances } from './instance/end.js'
import { pullMissing } from './instance/pull.js'
import { instanceName, labels, word } from './names.js'
import { look } from './observe.js'

/** One conditional write: looked at again right before, and ordered at the edge, which alone can refuse for certain. */
export async function act(engine: Engine, target: Target, action: Action, context: Context): Promise<void> {
  switch (action.type) {
    case 'ensure-slot':
      return ensureSlot(engine, target, action, context)
    case 'scale-slot':
      return scaleSlot(engine, target, action, context)
    case 'route': {
      await using write = await begin(engine, target, action, context)
      await write.order({ type: 'switch', from: action.from, to: action.to })
      return
    }
    case 'remove-slot': {
      await using write = await begin(engine, target, action, context)
      await write.order({ type: 'drop', slot: word(action.slot) })
      return afterWrite(() => removeInstances(engine.docker, instancesOf(write.world, action.slot)))
    }
  }
}

async function ensureSlot(engine: Engine, target: Target, action: EnsureSlot, context: Context): Promise<void> {
  checkReplicas(action.replicas)
  await pullMissing(engine.docker, action.image.pull, context.signal)
  await withEnvironment(action.spec.env, context, async (env) => {
    await using write = await begin(engine, target, action, context)
    const lane = await ensureLane(action, write)
    const { token } = context.operation.fence
    const bodyAt = (place: InstancePlace) => instanceBody(target, action, place, { token, env })
    await afterWrite(() => converge(engine, target, write, { lane, replicas: action.replicas, bodyAt }))
  })
}

async function scaleSlot(engine: Engine, target: Target, action: ScaleSlot, context: Context): Promise<void> {
  checkReplicas(action.replicas)
  await using write = await begin(engine, target, action, context)
  const lane = laneOf(write.edge.state, action.slot)
  const like = lane && membersOf(write.world, lane)[0]
  if (lane === undefined || like === undefined)
    throw new KiwiError('CONFLICT', `slot ${action.slot} has no instance to make others like`)
  const { token } = context.operation.fence
  const bodyAt = (place: InstancePlace) => instanceBodyLike(like, place, token)
  await afterWrite(() => converge(engine, target, write, { lane, replicas: action.replicas, bodyAt }))
}

/** An act under way: what it was decided on, and the edge that takes its orders one after the other. */
interface Write extends AsyncDisposable {
  readonly world: World
  readonly edge: Edge
  order(command: OrderOf<EdgeCommand>): Promise<EdgeState>
}

/** A command without what `order` adds: the token, and the number of the write before. */
type OrderOf<C> = C extends { readonly seq: number } ? Omit<C, 'token' | 'seq'> : never

async function begin(engine: Engine, target: Target, action: Action, context: Context): Promise<Write> {
  context.signal.throwIfAborted()
  const edge = await enterEdge(engine, target)
  if (edge === undefined) throw new KiwiError('CONFLICT', 'the target has no edge', { hint: 'Claim the target first.' })
  try {
    return await checked(engine, target, action, context, edge)
  } catch (thrown) {
    await edge[Symbol.asyncDispose]()
    throw thrown
  }
}

async function checked(engine: Engine, target: Target, action: Action, context: Context, edge: Edge): Promise<Write> {
  const { token } = context.operation.fence
  const world = await look(engine.docker, target, { state: () => edge.session.ask({ type: 'show' }) })
  if (world?.edge === undefined) throw new KiwiError('CONFLICT', 'the edge of the target went away')
  if (token < world.edge.state.token)
    throw new KiwiError('FENCED', `the target was claimed with token ${world.edge.state.token} since`)
  if (revisionOf(world) !== action.revision)
    throw new KiwiError('CONFLICT', 'the target changed since it was looked at')
  let { seq } = world.edge.state
  return {
    world,
    edge,
    async order(command) {
      // A member of the union, and what all of its members have: a member of the union.
      const state = await edge.session.ask({ ...command, token, seq } as EdgeCommand)
      seq = state.seq
      return state
    },
    [Symbol.asyncDispose]: () => edge[Symbol.asyncDispose](),
  }
}

/** A new slot begins with no instances ordered: how many there are is said when they are there, so a crash in between is seen. */
async function ensureLane(action: EnsureSlot, write: Write): Promise<Lane> {
  const slot = word(action.slot)
  const spec = specHash(action)
  const existing = laneOf(write.edge.state, slot)
  if (existing?.note.spec === spec) return existing
  if (existing !== undefined)
    throw new KiwiError('INPUT_INVALID', `slot ${slot} exists with another specification`, {
      hint: 'Remove the slot first, or give the new one another name.',
    })
  const { health, port } = action.spec
  const note = { release: action.release, digest: action.image.digest, spec }
  const path = health.path ?? '/'
  const lane = { number: freeLane(write), slot, kind: checkKindOf(health), port, path, replicas: 0, note }
  return required(await write.order({ type: 'lane', lane }), slot)
}

/** A lane that no slot has; one whose addresses no leftover has either, where that is possible. */
function freeLane({ edge, world }: Write): number {
  const taken = new Set(edge.state.lanes.map((lane) => lane.number))
  const littered = new Set(world.instances.map((instance) => Number(instance.Config.Labels[labels.lane])))
  const free = Array.from({ length: lanes }, (_, position) => position + 1).filter((number) => !taken.has(number))
  const number = free.find((one) => !littered.has(one)) ?? free[0]
  if (number !== undefined) return number
  throw new KiwiError('RUNTIME_FAILED', `all ${lanes} places for slots are in use`, {
    retryable: false,
    hint: 'Remove a slot that is not routed.',
  })
}

interface Order {
  readonly lane: Lane
  readonly replicas: number
  bodyAt(place: InstancePlace): ContainerCreateOptions
}

/**
 * Brings the slot's containers to the number. More: they are made, then the edge counts on them; fewer: the edge lets go of them,
 * then they are stopped, and stay for another time. Leftovers in the way are removed.
 */
async function converge(engine: Engine, target: Target, write: Write, order: Order): Promise<void> {
  const { docker } = engine
  const { lane, replicas } = order
  const scale = async (): Promise<unknown> => write.order({ type: 'scale', slot: lane.slot, replicas })
  if (replicas < lane.replicas) await scale()
  const members = membersOf(write.world, lane)
  await removeInstances(
    docker,
    write.world.instances.filter((instance) => isInTheWay(instance, lane)),
  )
  for (let index = 1; index <= replicas; index += 1) {
    const existing = members.find((member) => indexOf(member) === index)
    await ensureInstance(engine, target, write, order, { index, existing })
  }
  await stopInstances(
    docker,
    members.filter((member) => indexOf(member) > replicas),
  )
  if (replicas > lane.replicas) await scale()
}

async function ensureInstance(
  { docker }: Engine,
  target: Target,
  { edge }: Write,
  { lane, bodyAt }: Order,
  { index, existing }: { readonly index: number; readonly existing: ContainerInspectInfo | undefined },
): Promise<void> {
  if (existing?.State.Running === true) return
  const place = { lane, index, networkId: edge.network.id, address: edge.network.of(lane.number, index) }
  const name = instanceName(target, lane.slot, index)
  const id = existing?.Id ?? (await createContainer(docker, name, bodyAt(place))).id
  await startInstance(docker, id)
}

function isInTheWay(instance: ContainerInspectInfo, lane: Lane): boolean {
  const own = instance.Config.Labels
  return (own[labels.slot] === lane.slot || own[labels.lane] === String(lane.number)) && !isMember(instance, lane)
}

function required(state: EdgeState, slot: string): Lane {
  const lane = laneOf(state, slot)
  if (lane === undefined) throw new KiwiError('RUNTIME_FAILED', `the edge lost slot ${slot}`, { effect: 'unknown' })
  return lane
}

function checkReplicas(replicas: number): void {
  if (!Number.isInteger(replicas) || replicas < 0 || replicas > laneWidth)
    throw new KiwiError('INPUT_INVALID', `${replicas} instances are not possible on Docker: 0 to ${laneWidth} are`)
}

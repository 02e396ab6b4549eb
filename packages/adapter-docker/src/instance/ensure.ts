import { setTimeout as sleep } from 'node:timers/promises'
import { type Context, type EnsureSlot, KiwiError, type Target } from '@kiwi/core'
import type { ContainerCreateOptions, ContainerInspectInfo } from 'dockerode'
import { checkKindOf } from '../edge/config.js'
import type { Engine } from '../edge/edge.js'
import { lanes, laneWidth } from '../edge/places.js'
import type { EdgeState, Lane } from '../edge/protocol.js'
import { afterWrite } from '../errors.js'
import { indexOf, isMember, laneOf, membersOf, readySeats } from '../facts.js'
import { instanceName, labels, word } from '../names.js'
import { begin, type Write } from '../write.js'
import { createContainer, type InstancePlace, instanceBody, specHash, withEnvironment } from './create.js'
import { removeInstances, startInstance, stopInstances } from './end.js'
import { pullMissing } from './pull.js'

/** Makes the slot where there is none, and brings it to its number. */
export async function ensureSlot(engine: Engine, target: Target, action: EnsureSlot, context: Context): Promise<void> {
  checkReplicas(action.replicas)
  await pullMissing(engine.docker, action.image.pull, context.signal)
  await withEnvironment(action.spec.env, context, async (env) => {
    await using write = await begin(engine, target, action, context)
    const lane = await ensureLane(action, write)
    const { token } = context.operation.fence
    const own = { ...action, release: lane.note.release }
    const bodyAt = (place: InstancePlace) => instanceBody(target, own, place, { token, env })
    const seats = seatsFor(lane, action.replicas, readySeats(write.world, lane))
    await afterWrite(() => converge(engine, target, write, { lane, seats, bodyAt }))
  })
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
  const lane = { number: freeLane(write), slot, kind: checkKindOf(health), port, path, seats: [], note }
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

/** Those that are there stay, but for surplus ones: of these the ones that are not ready go first, then those with the highest numbers. */
export function seatsFor(
  { seats }: Pick<Lane, 'seats'>,
  replicas: number,
  ready: readonly number[],
): readonly number[] {
  const isReady = (seat: number) => Number(ready.includes(seat))
  const staying = seats.toSorted((a, b) => isReady(b) - isReady(a) || a - b)
  const free = Array.from({ length: laneWidth }, (_, position) => position + 1).filter((seat) => !seats.includes(seat))
  return [...staying, ...free].slice(0, replicas).sort((a, b) => a - b)
}

interface Order {
  readonly lane: Lane
  readonly seats: readonly number[]
  bodyAt(place: InstancePlace): ContainerCreateOptions
}

/**
 * Brings the slot's containers to these seats. More: they are made, then the edge counts on them; fewer: the edge lets go of them,
 * then they are stopped, and stay for another time. Leftovers in the way are removed.
 */
async function converge(engine: Engine, target: Target, write: Write, order: Order): Promise<void> {
  const { docker } = engine
  const { lane, seats } = order
  const scale = async (): Promise<unknown> => write.order({ type: 'scale', slot: lane.slot, seats })
  if (seats.length < lane.seats.length) {
    await scale()
    await drained(write, lane)
  }
  const members = membersOf(write.world, lane)
  await removeInstances(
    docker,
    write.world.instances.filter((instance) => isInTheWay(instance, lane)),
  )
  for (const index of seats) {
    const existing = members.find((member) => indexOf(member) === index)
    await ensureInstance(engine, target, write, order, { index, existing })
  }
  await stopInstances(
    docker,
    members.filter((member) => !seats.includes(indexOf(member))),
  )
  if (seats.length > lane.seats.length) await scale()
}

/** How long requests may take to leave an instance that gets no new ones; what they need beyond that comes out of its grace. */
const drainMs = 5_000

/** A slot that gets the traffic becomes smaller without breaking off the requests that are under way. */
async function drained({ edge }: Write, { slot }: Lane): Promise<void> {
  if (!edge.state.route.includes(slot)) return
  for (const end = performance.now() + drainMs; performance.now() < end; await sleep(100)) {
    const { draining } = await edge.session.ask({ type: 'show' })
    if (draining === 0) return
  }
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

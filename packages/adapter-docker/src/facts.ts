import { createHash } from 'node:crypto'
import type { InstanceState, SlotState, Snapshot, TaskState } from '@kiwi/core'
import type { ContainerInspectInfo } from 'dockerode'
import type { EdgeState, Lane, Server } from './edge/protocol.js'
import type { LastExit } from './instance/exit.js'
import { labels } from './names.js'

/** What was seen of a target: its instances, the containers of commands that run once, and the edge when there is one. */
export interface World {
  readonly instances: readonly ContainerInspectInfo[]
  readonly tasks: readonly ContainerInspectInfo[]
  /** By container id: how the run before the present one ended, where there was one. */
  readonly exits?: ReadonlyMap<string, LastExit> | undefined
  readonly edge?: { readonly container: ContainerInspectInfo; readonly state: EdgeState } | undefined
}

export function snapshotOf(world: World): Snapshot {
  const state = world.edge?.state
  return {
    revision: revisionOf(world),
    fence: state?.token ?? 0,
    slots: slotNames(world).map((slot) => slotOf(world, slot)),
    tasks: world.tasks.map(taskOf).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    route: {
      slots: state?.route ?? [],
      // A move is one assignment inside the edge: it is whole as soon as it is there.
      settled: true,
      draining: state?.draining ?? 0,
      addresses: world.edge === undefined ? [] : addressesOf(world.edge.container),
    },
  }
}

/** Hash over what was ordered: what the edge accepted, and which containers there are. How these fare does not count. */
export function revisionOf(world: World): string {
  const containers = [...world.instances, ...world.tasks].map(({ Id }) => Id).sort()
  const ordered = [world.edge?.state.seq ?? 0, world.edge?.state.token ?? 0, world.edge?.container.Id ?? '', containers]
  return createHash('sha256').update(JSON.stringify(ordered)).digest('hex').slice(0, 32)
}

/** The instances of the slot's present use of its lane; others are leftovers of a removal. */
export function membersOf(world: World, lane: Lane): readonly ContainerInspectInfo[] {
  return instancesOf(world, lane.slot).filter((instance) => isMember(instance, lane))
}

export function isMember(instance: ContainerInspectInfo, lane: Lane): boolean {
  const own = instance.Config.Labels
  return own[labels.lane] === String(lane.number) && own[labels.generation] === String(lane.generation)
}

export function instancesOf(world: World, slot: string): readonly ContainerInspectInfo[] {
  return world.instances.filter((instance) => instance.Config.Labels[labels.slot] === slot)
}

/** The commands that run once which belong to the slot. */
export function tasksOf(world: World, slot: string): readonly ContainerInspectInfo[] {
  return world.tasks.filter((task) => task.Config.Labels[labels.slot] === slot)
}

export function laneOf(state: EdgeState | undefined, slot: string): Lane | undefined {
  return state?.lanes.find((lane) => lane.slot === slot)
}

export function indexOf(instance: ContainerInspectInfo): number {
  return Number(instance.Config.Labels[labels.index])
}

function slotNames(world: World): string[] {
  const known = world.edge?.state.lanes.map((lane) => lane.slot) ?? []
  const running = world.instances.map((instance) => instance.Config.Labels[labels.slot] ?? '')
  return [...new Set([...known, ...running])].sort()
}

function slotOf(world: World, slot: string): SlotState {
  const lane = laneOf(world.edge?.state, slot)
  if (lane === undefined) return leftoverSlot(world, slot)
  const members = membersOf(world, lane).filter((instance) => isWanted(instance, lane) || instance.State.Running)
  return {
    id: slot,
    release: lane.note.release,
    digest: lane.note.digest,
    replicas: lane.seats.length,
    instances: members.toSorted((a, b) => indexOf(a) - indexOf(b)).map((member) => instanceOf(world, member, lane)),
  }
}

function taskOf(task: ContainerInspectInfo): TaskState {
  const { Status, Error: problem, ExitCode: exitCode } = task.State
  const base = { id: task.Config.Labels[labels.task] ?? '', slot: task.Config.Labels[labels.slot] ?? '' }
  if (Status === 'created' && problem === '') return { ...base, phase: 'creating' }
  if (Status === 'running' || Status === 'paused' || Status === 'restarting') return { ...base, phase: 'running' }
  if (exitCode === 0 && problem === '') return { ...base, phase: 'succeeded', exitCode }
  return { ...base, phase: 'failed', exitCode, reason: reasonOf(task), message: endOf(task) }
}

/** Containers whose slot the edge has let go: a removal that did not come to its end. */
function leftoverSlot(world: World, slot: string): SlotState {
  const instances = instancesOf(world, slot)
  const own = instances[0]?.Config.Labels ?? {}
  return {
    id: slot,
    release: own[labels.release] ?? '',
    digest: own[labels.digest] ?? '',
    replicas: 0,
    instances: instances.map((instance) => instanceOf(world, instance, undefined)),
  }
}

function isWanted(instance: ContainerInspectInfo, lane: Lane): boolean {
  return lane.seats.includes(indexOf(instance))
}

function instanceOf(world: World, instance: ContainerInspectInfo, lane: Lane | undefined): InstanceState {
  const phase = phaseOf(instance, lane)
  const server = world.edge?.state.servers.find((one) => one.lane === lane?.number && one.index === indexOf(instance))
  const base = { id: shortId(instance), phase, restarts: instance.RestartCount }
  if (phase === 'exited') {
    const { ExitCode: exitCode } = instance.State
    return { ...base, ready: false, exitCode, reason: reasonOf(instance), message: endOf(instance) }
  }
  if (phase !== 'running' || instance.State.Paused || server === undefined) return { ...base, ready: false }
  if (server.up) return { ...base, ready: true }
  return { ...base, ready: false, ...checkWords(server), ...world.exits?.get(instance.Id) }
}

/** The numbers of the slot's instances that are ready. */
export function readySeats(world: World, lane: Lane): readonly number[] {
  return membersOf(world, lane)
    .filter((member) => instanceOf(world, member, lane).ready)
    .map(indexOf)
}

/** As people know it from the engine's own tools, which take it too. */
export function shortId(instance: ContainerInspectInfo): string {
  return instance.Id.slice(0, 12)
}

function phaseOf(instance: ContainerInspectInfo, lane: Lane | undefined): InstanceState['phase'] {
  const { Status, Error: problem } = instance.State
  if (Status === 'created') return problem === '' ? 'creating' : 'exited'
  if (Status === 'removing') return 'stopping'
  if (Status !== 'running' && Status !== 'paused') return 'exited'
  return lane === undefined || !isWanted(instance, lane) ? 'stopping' : 'running'
}

/** A word for why it ended; shared with the evidence. */
export function reasonOf(instance: ContainerInspectInfo): string {
  const { OOMKilled, Error: problem, Status } = instance.State
  if (OOMKilled) return 'OOMKilled'
  if (problem !== '') return 'start-failed'
  return Status === 'restarting' ? 'restarting' : 'exited'
}

function endOf(instance: ContainerInspectInfo): string {
  return instance.State.Error === '' ? `ended with exit code ${instance.State.ExitCode}` : instance.State.Error
}

function checkWords({ check, message }: Server): { readonly reason: string; readonly message: string } {
  const said = message === '' ? '' : `: ${message}`
  return { reason: check, message: `${sentences[check] ?? 'the health check did not pass'}${said}` }
}

/** HAProxy's words for how a check ended. */
const sentences: Readonly<Record<string, string>> = {
  '-': 'not checked yet',
  INI: 'not checked yet',
  L4CON: 'nothing accepts connections on the port',
  L4TOUT: 'connecting to the port takes too long',
  L7STS: 'the health check was answered with an error status',
  L7TOUT: 'the health check was not answered in time',
  L7RSP: 'the answer to the health check is not HTTP',
}

function addressesOf(edge: ContainerInspectInfo): readonly string[] {
  const protocol = JSON.parse(edge.Config.Labels[labels.publish] ?? 'null')?.protocol ?? 'http'
  const bindings = Object.values(edge.NetworkSettings.Ports ?? {}).flatMap((list) => list ?? [])
  return [...new Set(bindings.map(({ HostIp, HostPort }) => `${protocol}://${hostOf(HostIp)}:${HostPort}`))]
}

/** A port on every address is reached on the engine's own host for sure. */
function hostOf(address: string): string {
  if (address === '' || address === '0.0.0.0' || address === '::') return '127.0.0.1'
  return address.includes(':') ? `[${address}]` : address
}

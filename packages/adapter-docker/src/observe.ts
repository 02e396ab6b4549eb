import { setTimeout as sleep } from 'node:timers/promises'
import { type Context, KiwiError, type Snapshot, type Target } from '@kiwi/core'
import type Docker from 'dockerode'
import type { ContainerInspectInfo } from 'dockerode'
import { hasVolume } from './edge/network.js'
import type { EdgeState } from './edge/protocol.js'
import { type EdgeSession, openSession } from './edge/session.js'
import { attempt, statusOf } from './errors.js'
import { snapshotOf, type World } from './facts.js'
import { type LastExit, lastExit } from './instance/exit.js'
import { labels, ours } from './names.js'

/** Health is known to the edge only, and it sends no events: so besides the engine's events it is asked this often. */
const pollMs = 500
/** An edge that is being replaced or restarts is back by then. */
const silentMs = 15_000

export async function* observe(docker: Docker, target: Target, context: Context): AsyncGenerator<Snapshot, void> {
  const { signal } = context
  await using edge = edgeLine(docker)
  await using changes = await watch(docker, target, signal)
  let shown = ''
  let silences = 0
  while (!signal.aborted) {
    const world = await look(docker, target, edge)
    silences = world === undefined ? silences + 1 : 0
    if (silences * pollMs > silentMs)
      throw new KiwiError('RUNTIME_FAILED', `the edge of ${target.service} in ${target.environment} does not answer`)
    const snapshot = world === undefined ? undefined : snapshotOf(world)
    const text = JSON.stringify(snapshot) ?? shown
    if (snapshot !== undefined && text !== shown) {
      shown = text
      yield snapshot
    }
    await changes.next()
  }
}

/** One look at everything. `undefined` while the edge that should be there does not answer: then nothing certain can be said. */
export async function look(docker: Docker, target: Target, edge: Pick<EdgeLine, 'state'>): Promise<World | undefined> {
  const containers = await inspectAll(docker, target)
  const [instances, tasks] = [ofRole(containers, 'instance'), ofRole(containers, 'task')]
  const [container] = ofRole(containers, 'edge')
  if (container === undefined) return (await hasVolume(docker, target)) ? undefined : { instances, tasks }
  const exits = await exitsOf(docker, instances)
  const state = await edge.state(container.Id)
  return state === undefined ? undefined : { instances, tasks, exits, edge: { container, state } }
}

function ofRole(containers: readonly ContainerInspectInfo[], role: string): ContainerInspectInfo[] {
  return containers.filter((container) => container.Config.Labels[labels.role] === role)
}

/** Keeps one session open to the edge, and opens another when the edge has become another. */
export interface EdgeLine extends AsyncDisposable {
  state(containerId: string): Promise<EdgeState | undefined>
}

export function edgeLine(docker: Docker): EdgeLine {
  let open: { readonly id: string; readonly session: EdgeSession } | undefined
  const close = async (): Promise<void> => {
    await open?.session[Symbol.asyncDispose]()
    open = undefined
  }
  return {
    async state(id) {
      try {
        if (open?.id !== id) await close()
        open ??= { id, session: await openSession(docker, id) }
        return await open.session.ask({ type: 'show' })
      } catch (thrown) {
        await close()
        if (KiwiError.is(thrown) && thrown.code === 'RUNTIME_FAILED') return undefined
        throw thrown
      }
    },
    [Symbol.asyncDispose]: close,
  }
}

async function inspectAll(docker: Docker, target: Target): Promise<ContainerInspectInfo[]> {
  return attempt('looking at the containers', 'none', async () => {
    const listed = await docker.listContainers({ all: true, filters: ours(target) })
    const inspected = await Promise.all(listed.map(({ Id }) => inspect(docker, Id)))
    return inspected.filter((container) => container !== undefined)
  })
}

async function exitsOf(docker: Docker, instances: readonly ContainerInspectInfo[]): Promise<Map<string, LastExit>> {
  const found = await attempt('asking for past events', 'none', () =>
    Promise.all(instances.map(async (instance) => [instance.Id, await lastExit(docker, instance)] as const)),
  )
  return new Map(found.flatMap(([id, exit]) => (exit === undefined ? [] : [[id, exit] as const])))
}

/** `undefined` when it went away between the list and this look. */
async function inspect(docker: Docker, id: string): Promise<ContainerInspectInfo | undefined> {
  try {
    return await docker.getContainer(id).inspect()
  } catch (thrown) {
    if (statusOf(thrown) === 404) return undefined
    throw thrown
  }
}

interface Changes extends AsyncDisposable {
  /** Resolves after the engine's next event, after `pollMs`, or when the signal fires. */
  next(): Promise<void>
}

async function watch(docker: Docker, target: Target, signal: AbortSignal): Promise<Changes> {
  const filters = {
    ...ours(target),
    type: ['container' as const],
    event: ['create', 'start', 'die', 'oom', 'destroy', 'pause', 'unpause'],
  }
  const events = await attempt('listening for events', 'none', () => docker.getEvents({ filters }))
  let changed = false
  let wake = (): void => {}
  events.on('data', () => {
    changed = true
    wake()
  })
  // Without events the poll goes on; whether the engine still answers is for the next look to find out.
  events.on('error', () => {})
  return {
    async next() {
      const woken = new AbortController()
      wake = () => woken.abort()
      if (!changed) await sleep(pollMs, undefined, { signal: AbortSignal.any([signal, woken.signal]) }).catch(() => {})
      changed = false
    },
    async [Symbol.asyncDispose]() {
      if ('destroy' in events && typeof events.destroy === 'function') events.destroy()
    },
  }
}

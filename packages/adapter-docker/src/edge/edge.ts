import { setTimeout as sleep } from 'node:timers/promises'
import type { Publish, Target } from '@kiwi/core'
import type Docker from 'dockerode'
import type { ContainerInspectInfo } from 'dockerode'
import { attempt, tolerate } from '../errors.js'
import { pullMissing } from '../instance/pull.js'
import { labels, ours } from '../names.js'
import { createEdge } from './container.js'
import { ensureNetwork, ensureVolume, type TargetNetwork } from './network.js'
import type { EdgeState } from './protocol.js'
import { type EdgeSession, openSession } from './session.js'

export interface EdgeOptions {
  /** An HAProxy 2.6 or newer, with Lua and bash, as the engine pulls it. */
  readonly image: string
}

/** A running edge of one target, with an open session to it. */
export interface Edge extends AsyncDisposable {
  readonly container: ContainerInspectInfo
  readonly network: TargetNetwork
  readonly session: EdgeSession
  readonly state: EdgeState
}

/** The engine, and the image that its edges are made of. */
export interface Engine {
  readonly docker: Docker
  readonly edge: EdgeOptions
}

/**
 * Brings the target's edge up; makes network, volume and container when they are missing. Whoever ordered another way to publish
 * and then fell silent has condemned the old container: it is replaced here, whatever it publishes, so that a late stop of it hits nothing.
 */
export async function ensureEdge(engine: Engine, target: Target, signal: AbortSignal): Promise<Edge> {
  await pullMissing(engine.docker, engine.edge.image, signal)
  const network = await ensureNetwork(engine.docker, target)
  await ensureVolume(engine.docker, target)
  for (;;) {
    const container = await startedEdge(engine, target, network)
    const edge = await enter(engine.docker, container, network, signal)
    if (generationOf(edge.container) === edge.state.generation) return edge
    await edge[Symbol.asyncDispose]()
    await replaceEdge(engine, target, network, edge)
  }
}

/** The edge that runs; `undefined` when there is none. */
export async function enterEdge(engine: Engine, target: Target): Promise<Edge | undefined> {
  const container = await findEdge(engine.docker, target)
  if (container === undefined) return undefined
  return enterOnce(engine.docker, container, await ensureNetwork(engine.docker, target))
}

/** How the container publishes really, which differs from what its state asks for when that could not be had. */
export function publishedBy(container: ContainerInspectInfo): Publish | undefined {
  return JSON.parse(container.Config.Labels[labels.publish] ?? 'null') ?? undefined
}

async function startedEdge(engine: Engine, target: Target, network: TargetNetwork): Promise<Docker.Container> {
  const { publish } = target
  const found = await findEdge(engine.docker, target)
  const container = found ?? (await createEdge(engine, target, network, { generation: 0, publish }))
  try {
    await start(container)
    return container
  } catch (thrown) {
    // It cannot hold its port and serves nobody: a way out must not depend on it.
    const dead = await attempt('looking at the edge', 'none', () => container.inspect())
    await removeContainer(engine.docker, container.id)
    if (found === undefined || samePublish(publishedBy(dead), publish)) throw thrown
    const other = await createEdge(engine, target, network, { generation: generationOf(dead), publish })
    await start(other)
    return other
  }
}

/** The state stays on the volume, so the new container begins where the old one stood. Connections are refused in between, for about a second. */
async function replaceEdge(engine: Engine, target: Target, network: TargetNetwork, old: Edge): Promise<void> {
  const { generation, publish } = old.state
  await removeContainer(engine.docker, old.container.Id)
  const container = await createEdge(engine, target, network, { generation, publish })
  try {
    await start(container)
  } catch (thrown) {
    await removeContainer(engine.docker, container.id)
    await start(await createEdge(engine, target, network, { generation, publish: publishedBy(old.container) }))
    throw thrown
  }
}

export function samePublish(one: Publish | undefined, other: Publish): boolean {
  return one?.protocol === other.protocol && one.address === other.address && one.port === other.port
}

function generationOf(container: ContainerInspectInfo): number {
  return Number(container.Config.Labels[labels.generation])
}

async function findEdge(docker: Docker, target: Target): Promise<Docker.Container | undefined> {
  const label = [...ours(target).label, `${labels.role}=edge`]
  const [found] = await attempt('listing containers', 'none', () =>
    docker.listContainers({ all: true, filters: { label } }),
  )
  return found === undefined ? undefined : docker.getContainer(found.Id)
}

async function start(container: Docker.Container): Promise<void> {
  await attempt('starting the edge', 'unknown', () => tolerate([304], () => container.start()))
}

export async function removeContainer(docker: Docker, id: string): Promise<void> {
  const container = docker.getContainer(id)
  await attempt('removing the edge', 'unknown', async () => {
    await tolerate([304, 404], () => container.stop({ t: 2 }))
    await tolerate([404, 409], () => container.remove({ force: true }))
  })
}

/** A container that was just started needs a moment until HAProxy listens. */
async function enter(
  docker: Docker,
  container: Docker.Container,
  network: TargetNetwork,
  signal: AbortSignal,
): Promise<Edge> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await enterOnce(docker, container, network)
    } catch (thrown) {
      if (tries >= 50) throw thrown
      await sleep(100, undefined, { signal })
    }
  }
}

async function enterOnce(docker: Docker, container: Docker.Container, network: TargetNetwork): Promise<Edge> {
  const session = await openSession(docker, container.id)
  try {
    const state = await session.ask({ type: 'show' })
    const inspected = await attempt('looking at the edge', 'none', () => container.inspect())
    return {
      container: inspected,
      network,
      session,
      state,
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    }
  } catch (thrown) {
    await session[Symbol.asyncDispose]()
    throw thrown
  }
}

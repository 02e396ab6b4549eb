import type Docker from 'dockerode'
import type { ContainerInspectInfo } from 'dockerode'
import { attempt, tolerate } from '../errors.js'

/**
 * Starts the instance. A program that cannot be started is a fact of the instance (the engine keeps its words), not a failure
 * of this call; anything else that hinders the start is one.
 */
export async function startInstance(docker: Docker, id: string): Promise<void> {
  const container = docker.getContainer(id)
  try {
    await tolerate([304], () => container.start())
  } catch (thrown) {
    const { State } = await container.inspect()
    if (!/OCI runtime/.test(State.Error)) await attempt('starting an instance', 'unknown', () => Promise.reject(thrown))
  }
}

/** Stops with the grace that each instance was made with; they stay, to be started again. */
export async function stopInstances(docker: Docker, instances: readonly ContainerInspectInfo[]): Promise<void> {
  await attempt('stopping instances', 'unknown', () => Promise.all(instances.map(({ Id }) => stop(docker, Id))))
}

/** Stops and removes, by id: nothing that took the name meanwhile is hit. */
export async function removeInstances(docker: Docker, instances: readonly ContainerInspectInfo[]): Promise<void> {
  await attempt('removing instances', 'unknown', () =>
    Promise.all(
      instances.map(async ({ Id }) => {
        await stop(docker, Id)
        await tolerate([404, 409], () => docker.getContainer(Id).remove({ v: true }))
      }),
    ),
  )
}

async function stop(docker: Docker, id: string): Promise<void> {
  await tolerate([304, 404], () => docker.getContainer(id).stop())
}

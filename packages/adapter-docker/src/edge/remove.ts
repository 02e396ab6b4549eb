import type { Target } from '@kiwi/core'
import type Docker from 'dockerode'
import { attempt, tolerate } from '../errors.js'
import { targetName } from '../names.js'
import { type Edge, removeContainer } from './edge.js'

/** Removes all that makes a target claimed. The volume goes last: as long as it is there, a claim finds the state that it left. */
export async function removeEdge(docker: Docker, target: Target, { container, network }: Edge): Promise<void> {
  await removeContainer(docker, container.Id)
  await attempt('removing the network', 'unknown', () => tolerate([404], () => docker.getNetwork(network.id).remove()))
  await attempt('removing the state volume', 'unknown', () =>
    tolerate([404], () => docker.getVolume(targetName(target)).remove()),
  )
}

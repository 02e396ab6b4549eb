import { setTimeout as sleep } from 'node:timers/promises'
import { KiwiError, type Target } from '@kiwi/core'
import type Docker from 'dockerode'
import type { NetworkInspectInfo } from 'dockerode'
import { attempt, statusOf } from '../errors.js'
import { labels, ours, targetLabels, targetName } from '../names.js'
import { type Addressing, addressing } from './places.js'

export interface TargetNetwork extends Addressing {
  readonly id: string
}

/** The target's network, made when it is missing. */
export async function ensureNetwork(docker: Docker, target: Target): Promise<TargetNetwork> {
  for (let attempt = 1; ; attempt += 1) {
    const found = await findNetwork(docker, target)
    if (found !== undefined) return found
    try {
      return await createNetwork(docker, target)
    } catch (thrown) {
      // Whoever made it at the same time was in the way, by name or by addresses.
      if (attempt === attempts || !KiwiError.is(thrown) || statusOf(thrown.cause) === undefined) throw thrown
      await sleep(100 * attempt)
    }
  }
}

const attempts = 5

async function findNetwork(docker: Docker, target: Target): Promise<TargetNetwork | undefined> {
  const listed = await attempt('listing networks', 'none', () => docker.listNetworks({ filters: ours(target) }))
  const [found] = listed
    .filter((network) => network.Labels?.[labels.role] === 'network')
    .sort((one, other) => (`${one.Created} ${one.Id}` < `${other.Created} ${other.Id}` ? -1 : 1))
  if (found === undefined) return undefined
  return { id: found.Id, ...addressing(subnetOf(found)) }
}

/**
 * Addresses can be given to containers only where the subnet was asked for by name, and only the engine knows which are free:
 * so it picks one for a first network, and the second one asks for exactly that.
 */
async function createNetwork(docker: Docker, target: Target): Promise<TargetNetwork> {
  const name = targetName(target)
  const draft = { ...targetLabels(target), [labels.role]: 'draft' }
  const own = { ...targetLabels(target), [labels.role]: 'network' }
  return attempt(`creating the network ${name}`, 'unknown', async () => {
    const first = await docker.createNetwork({ Name: `${name}-draft`, Labels: draft })
    const subnet = subnetOf(await first.inspect())
    await first.remove()
    const network = await docker.createNetwork({
      Name: name,
      Labels: own,
      CheckDuplicate: true,
      IPAM: { Driver: 'default', Config: [{ Subnet: subnet }] },
    })
    return firstOf(docker, target, { id: network.id, ...addressing(subnet) })
  })
}

/** The engine lets two networks have one name when they are made at the same time: the older one stays. */
async function firstOf(docker: Docker, target: Target, made: TargetNetwork): Promise<TargetNetwork> {
  const first = await findNetwork(docker, target)
  if (first === undefined || first.id === made.id) return made
  await docker.getNetwork(made.id).remove()
  return first
}

function subnetOf(network: Pick<NetworkInspectInfo, 'IPAM'>): string {
  return network.IPAM?.Config?.[0]?.Subnet ?? ''
}

/** The volume in which the edge keeps its state. It is what makes a target claimed. */
export async function ensureVolume(docker: Docker, target: Target): Promise<void> {
  if (await hasVolume(docker, target)) return
  const wanted = { Name: targetName(target), Labels: { ...targetLabels(target), [labels.role]: 'state' } }
  await attempt(`creating the volume ${wanted.Name}`, 'unknown', () => docker.createVolume(wanted))
  // The engine answers with whatever has the name already: make sure that it is ours.
  if (!(await hasVolume(docker, target)))
    throw new KiwiError('RUNTIME_FAILED', `a volume ${wanted.Name} exists and belongs to something else`, {
      retryable: false,
    })
}

export async function hasVolume(docker: Docker, target: Target): Promise<boolean> {
  try {
    const volume = await docker.getVolume(targetName(target)).inspect()
    const wanted = targetLabels(target)
    return Object.keys(wanted).every((name) => volume.Labels?.[name] === wanted[name])
  } catch (thrown) {
    if (statusOf(thrown) === 404) return false
    return attempt('looking for the state volume', 'none', () => Promise.reject(thrown))
  }
}

import { type Context, KiwiError, type RunOnce, type Target } from '@kiwi/core'
import type { ContainerInspectInfo } from 'dockerode'
import type { Engine } from '../edge/edge.js'
import { afterWrite } from '../errors.js'
import type { World } from '../facts.js'
import { labels, taskName } from '../names.js'
import { begin, type Write } from '../write.js'
import { createContainer, taskBody, withEnvironment } from './create.js'
import { startInstance } from './end.js'
import { pullMissing } from './pull.js'

/**
 * Runs the command in a container of its own. The edge has the word before there is one, so that an overtaken operation runs nothing.
 * One that is there already is left alone, or started if whoever made it went away before that.
 */
export async function runOnce(engine: Engine, target: Target, action: RunOnce, context: Context): Promise<void> {
  const { docker } = engine
  await pullMissing(docker, action.image.pull, context.signal)
  await withEnvironment(action.spec.env, context, async (env) => {
    await using write = await begin(engine, target, action, context)
    const found = write.world.tasks.find(({ Config }) => Config.Labels[labels.task] === action.task)
    if (found && found.State.Status !== 'created') return
    const name = taskName(target, action.task)
    const place = { networkId: write.edge.network.id, address: freeAddress(write) }
    const { token } = context.operation.fence
    await write.order({ type: 'touch' })
    await afterWrite(async () => {
      const id = found?.Id ?? (await createContainer(docker, name, taskBody(target, action, place, { token, env }))).id
      await startInstance(docker, id)
    })
  })
}

/** Addresses are given by hand, since the engine would give away those that instances have for themselves. */
function freeAddress({ world, edge }: Write): string {
  const taken = addressesOf(world)
  const free = edge.network.tasks.find((address) => !taken.has(address))
  if (free !== undefined) return free
  throw new KiwiError('RUNTIME_FAILED', 'no address is free for one more command', {
    hint: 'Remove slots whose commands have ended.',
  })
}

function addressesOf({ tasks }: World): ReadonlySet<string | undefined> {
  const held = tasks.filter(({ State }) => State.Running || State.Status === 'created')
  return new Set(held.flatMap(({ NetworkSettings }) => Object.values(NetworkSettings.Networks).map(configured)))
}

function configured(network: ContainerInspectInfo['NetworkSettings']['Networks'][string]): string | undefined {
  // The type knows what the engine answers only in part.
  const { IPv4Address } = (network.IPAMConfig ?? {}) as { readonly IPv4Address?: string }
  return IPv4Address
}

import { type Action, type Context, KiwiError, type RemoveSlot, type RemoveTarget, type Target } from '@kiwi/core'
import type { Engine } from './edge/edge.js'
import { removeEdge } from './edge/remove.js'
import { afterWrite } from './errors.js'
import { instancesOf, tasksOf } from './facts.js'
import { removeInstances } from './instance/end.js'
import { ensureSlot } from './instance/ensure.js'
import { runOnce } from './instance/task.js'
import { word } from './names.js'
import { begin } from './write.js'

/** One conditional write: looked at again right before, and ordered at the edge, which alone can refuse for certain. */
export async function act(engine: Engine, target: Target, action: Action, context: Context): Promise<void> {
  switch (action.type) {
    case 'ensure-slot':
      return ensureSlot(engine, target, action, context)
    case 'route': {
      await using write = await begin(engine, target, action, context)
      await write.order({ type: 'switch', from: action.from, to: action.to })
      return
    }
    case 'run-once':
      return runOnce(engine, target, action, context)
    case 'remove-slot':
      return removeSlot(engine, target, action, context)
    case 'remove-target':
      return removeTarget(engine, target, action, context)
  }
}

async function removeSlot(engine: Engine, target: Target, action: RemoveSlot, context: Context): Promise<void> {
  await using write = await begin(engine, target, action, context)
  await write.order({ type: 'drop', slot: word(action.slot) })
  const { world } = write
  const tasks = tasksOf(world, action.slot)
  await afterWrite(() => removeInstances(engine.docker, [...instancesOf(world, action.slot), ...tasks]))
}

async function removeTarget(engine: Engine, target: Target, action: RemoveTarget, context: Context): Promise<void> {
  await using write = await begin(engine, target, action, context)
  const { instances, tasks } = write.world
  const lane = write.edge.state.lanes[0]
  if (lane !== undefined || instances.length > 0)
    throw new KiwiError('RUNTIME_FAILED', `the target still has ${lane ? `the slot ${lane.slot}` : 'instances'}`, {
      retryable: false,
      hint: 'Remove its slots first.',
    })
  await write.order({ type: 'touch' })
  await afterWrite(async () => {
    await removeInstances(engine.docker, tasks)
    await removeEdge(engine.docker, target, write.edge)
  })
}

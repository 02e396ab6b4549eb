import type { KiwiError } from '../errors/kiwi-error.js'
import { cancellation } from '../journal/cancel.js'
import type { Instruction } from '../rollout/types.js'
import type { EnvironmentRun } from './pipeline-run.js'

/** What the commands given so far amount to: the last of promote and hold counts; revert and cancel are for good. */
export async function instructionOf(run: EnvironmentRun): Promise<{ instruction: Instruction; because?: KiwiError }> {
  const commands = await run.commands()
  const end = commands.find(({ type }) => type === 'revert' || type === 'cancel')
  if (end) return { instruction: 'revert', because: cancellation(end) }
  const last = commands.findLast(({ type }) => type === 'promote' || type === 'hold')
  return {
    instruction: last?.type === 'hold' || (!last && 'hold' in run.request && run.request.hold) ? 'hold' : 'promote',
  }
}

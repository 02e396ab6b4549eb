import type { KitCase } from '../kit.js'
import { claimCases } from './claim.js'
import type { RuntimeKitOptions } from './options.js'
import { removalCases } from './removal.js'
import { routeCases } from './route.js'
import { slotCases } from './slots.js'
import { taskCases } from './tasks.js'
import { troubleCases } from './trouble.js'

export { type KitPrograms, kitVariables, nodePrograms, type RuntimeKitOptions, shellPrograms } from './options.js'

/**
 * What every runtime keeps of its contract. Each case has a target of its own and clears it away.
 * @example for (const one of runtimeKit({ runtime: () => runtime, images: pushTwo, answers: ['one', 'two'] })) it(one.name, one.run)
 */
export function runtimeKit(options: RuntimeKitOptions): readonly KitCase[] {
  return [claimCases, slotCases, routeCases, taskCases, troubleCases, removalCases].flatMap((cases) => cases(options))
}

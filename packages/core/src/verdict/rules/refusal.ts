import type { KiwiError } from '../../errors/kiwi-error.js'
import type { Wanted } from '../../rollout/types.js'
import type { Diagnosis } from '../diagnosis.js'

/** What it means that the runtime refused a write, where that is about the image. */
export function refusal(_error: KiwiError, _wanted: Wanted): Diagnosis | undefined {
  return undefined
}

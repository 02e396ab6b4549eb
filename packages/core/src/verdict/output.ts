import type { InstanceSpec } from '../contracts/v1/actions.js'
import type { Evidence } from '../contracts/v1/runtime.js'
import type { Diagnosis } from './diagnosis.js'

export function linesOf({ instances }: Evidence): string[] {
  return instances.flatMap(({ id, exitCode, reason, lastOutput }) => {
    const state = [exitCode === undefined ? undefined : `exit code ${exitCode}`, reason].filter(
      (part) => part !== undefined,
    )
    return [...(state.length > 0 ? [`${id}: ${state.join(', ')}`] : []), ...lastOutput]
  })
}

/** The diagnosis after the last output was read: an application often says itself what the platform cannot know. */
export function withOutput(
  diagnosis: Diagnosis,
  _lines: readonly string[],
  _about: { readonly spec: InstanceSpec; readonly environment: string },
): Diagnosis {
  return diagnosis
}

import type { Evidence } from '../contracts/v1/runtime.js'
import type { Diagnosis } from './diagnosis.js'
import { architectureInOutput } from './rules/architecture.js'
import { otherPortIn, withPort } from './rules/health.js'
import type { About } from './rules/table.js'

/** What was kept of instances or a task, as lines for people. */
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
  lines: readonly string[],
  about: Pick<About, 'spec' | 'environment' | 'image'>,
): Diagnosis {
  if (diagnosis.code === 'application-exits' || diagnosis.code === 'cannot-start')
    return architectureInOutput(lines, about) ?? diagnosis
  if (diagnosis.code !== 'not-listening' || diagnosis.remedies.some(({ fix }) => fix !== undefined)) return diagnosis
  const port = otherPortIn(lines, about.spec)
  return port === undefined ? diagnosis : withPort(diagnosis, port, about)
}

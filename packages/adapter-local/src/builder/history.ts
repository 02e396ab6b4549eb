import { type Instruction, runCommand } from '@kiwi/wizard/dockerfile'
import type { HistoryEntry } from '../layers/index.js'
import { argvOf } from './configure.js'
import type { Draft } from './draft.js'

/**
 * What an instruction adds to the history, as Docker and BuildKit count. Values that were given to the build are not told: they may be
 * secret.
 */
export function historyOf(
  instruction: Instruction,
  draft: Draft,
  { hasLayer, createdAtSeconds }: { readonly hasLayer: boolean; readonly createdAtSeconds: number },
): HistoryEntry {
  return {
    created: new Date(createdAtSeconds * 1000).toISOString(),
    created_by: textOf(instruction, draft),
    ...(!hasLayer && { empty_layer: true }),
  }
}

function textOf(instruction: Instruction, { config }: Draft): string {
  if (instruction.keyword !== 'RUN') return instruction.text
  const command = runCommand(instruction)
  return command.form === 'script' ? instruction.text : `RUN ${argvOf(command, config).join(' ')}`
}

/** Some base images tell no history, or not all of it; then each of their layers gets an entry, so that both can be counted. */
export function settledHistory(history: readonly HistoryEntry[], layers: number): readonly HistoryEntry[] {
  const missing = layers - history.filter(({ empty_layer: empty }) => empty !== true).length
  return missing > 0
    ? [...Array.from({ length: missing }, () => ({ comment: 'of the base image' })), ...history]
    : history
}

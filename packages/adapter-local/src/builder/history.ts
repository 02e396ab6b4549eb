import { type Instruction, runCommand } from '@kiwi/wizard/dockerfile'
import type { HistoryEntry } from '../layers/index.js'
import { argvOf } from './configure.js'
import type { Draft } from './draft.js'

/**
 * What an instruction adds to the history, as Docker and BuildKit count: one entry, for ARG one for each name. Values that were given to
 * the build are not told: they may be secret.
 */
export function historyOf(
  instruction: Instruction,
  draft: Draft,
  { hasLayer, createdAtSeconds }: { readonly hasLayer: boolean; readonly createdAtSeconds: number },
): HistoryEntry[] {
  const created = new Date(createdAtSeconds * 1000).toISOString()
  return textsOf(instruction, draft).map((text) => ({
    created,
    created_by: text,
    ...(!hasLayer && { empty_layer: true }),
  }))
}

function textsOf(instruction: Instruction, { config }: Draft): string[] {
  if (instruction.keyword === 'ARG') {
    return instruction.pairs.map(({ name, value }) => (value === undefined ? `ARG ${name}` : `ARG ${name}=${value}`))
  }
  if (instruction.keyword !== 'RUN') return [instruction.text]
  const command = runCommand(instruction)
  return [command.form === 'script' ? instruction.text : `RUN ${argvOf(command, config).join(' ')}`]
}

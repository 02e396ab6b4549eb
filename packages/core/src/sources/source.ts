import type { Source } from '../contracts/v1/source.js'
import type { SourceDefinition } from '../model/service.js'
import { type DirectorySourceOptions, directorySource } from './directory.js'
import { gitSource } from './git.js'

export { removeLeftovers } from './git-command.js'

/** The source that a definition describes. Throws `INPUT_INVALID`. */
export function createSource(definition: SourceDefinition, options: DirectorySourceOptions): Source {
  return 'git' in definition ? gitSource(definition, options) : directorySource(definition, options)
}

import type { BuildRequest } from '@kiwi/core'
import type { PlannedStage } from '@kiwi/wizard/dockerfile'
import { type OpenContext, openContext } from './open-context.js'
import type { SourceTree } from './source-tree.js'

/** The further directories of the source that a build may copy from. */
export interface NamedContexts {
  /** What `from` names, where it is one of these; a stage of that name comes first. Opened once, with its own `.dockerignore`. */
  open(from: string, stage: PlannedStage): Promise<SourceTree | undefined>
  /** Keeps what was learnt of their files. */
  save(): Promise<void>
}

export function namedContexts(directory: string, request: BuildRequest, stateDirectory: string): NamedContexts {
  const { contexts = {} } = request
  const opened = new Map<string, Promise<OpenContext>>()
  return {
    async open(from, { references }) {
      const contextPath = Object.hasOwn(contexts, from) ? contexts[from] : undefined
      if (contextPath === undefined || references[from]?.kind === 'stage') return undefined
      // Rules for the main context's paths mean nothing here.
      const place = { contextPath, dockerfilePath: undefined, ignore: undefined }
      const context = opened.get(from) ?? openContext(directory, place, stateDirectory)
      opened.set(from, context)
      return (await context).tree
    },
    async save() {
      for (const context of opened.values()) await (await context).hashes.save()
    },
  }
}

import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** A program of the system that core runs. Adapters name theirs in their probes. */
export interface Tool {
  readonly name: string
  readonly neededFor: string
  /** The package that brings it, as Debian names it. */
  readonly package: string
  /** Needed only where a service asks for what it does. */
  readonly optional: boolean
}

export interface FoundTool extends Tool {
  /** Left out: it is not there. */
  readonly path?: string | undefined
}

const tools: readonly Tool[] = [
  { name: 'git', neededFor: 'sources in Git repositories', package: 'git', optional: false },
  { name: 'ssh', neededFor: 'repositories reached over ssh', package: 'openssh-client', optional: true },
  { name: 'git-lfs', neededFor: 'sources with `lfs: true`', package: 'git-lfs', optional: true },
]

/** Looks for each tool in PATH; runs none. */
export function findTools(): Promise<FoundTool[]> {
  return Promise.all(
    tools.map(async (tool) => {
      const path = await pathOf(tool.name)
      return { ...tool, ...(path !== undefined && { path }) }
    }),
  )
}

async function pathOf(name: string): Promise<string | undefined> {
  for (const directory of (process.env.PATH ?? '').split(delimiter).filter((one) => one !== '')) {
    const path = join(directory, name)
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  return undefined
}

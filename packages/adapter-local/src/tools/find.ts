import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { KiwiError } from '@kiwi/core'
import { type Tool, tools } from './catalogue.js'
import { toolPath } from './path.js'

/** Absolute path of a program of the host; undefined when it is not there. */
export function findTool(tool: Tool): string | undefined {
  const candidates = toolPath.split(':').map((folder) => join(folder, tool))
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** The same, or `TOOL_MISSING` naming the package. */
export function needTool(tool: Tool): string {
  const found = findTool(tool)
  if (found === undefined) throw toolMissing(tool)
  return found
}

export function toolMissing(tool: Tool): KiwiError {
  return new KiwiError('TOOL_MISSING', `the program ${tool} is not on this machine`, {
    hint: `Install the package ${tools[tool]} (Debian's name).`,
    evidence: { tool, package: tools[tool] },
  })
}

import { type BuildNeed, KiwiError, type Platform } from '@kiwi/core'
import {
  type Dockerfile,
  DockerfileSyntaxError,
  parseDockerfile,
  type StagePlan,
  stageGraph,
} from '@kiwi/wizard/dockerfile'
import type { ArgValues } from './configure.js'

export interface ReadDockerfile {
  readonly dockerfile: Dockerfile
  readonly plan: StagePlan
  readonly values: ArgValues
}

/** Parses and plans. Throws `DOCKERFILE_SYNTAX` with the line. */
export function readDockerfile(need: BuildNeed): ReadDockerfile {
  try {
    const dockerfile = parseDockerfile(need.dockerfile)
    const predefined = platformArgs(need.platform)
    const plan = stageGraph(dockerfile, { target: need.target, args: need.args, predefined })
    return { dockerfile, plan, values: { given: need.args, global: plan.globalArgs, predefined } }
  } catch (error) {
    throw asSyntaxError(error)
  }
}

/** The parser's own error in our form; anything else as it is. */
export function asSyntaxError(error: unknown): unknown {
  if (!(error instanceof DockerfileSyntaxError)) return error
  const { line, column, hint, message } = error
  return new KiwiError('DOCKERFILE_SYNTAX', `line ${line}: ${message}`, {
    hint,
    cause: error,
    evidence: { line, column },
  })
}

/** This builder's own platform is the target's: it does not cross. */
function platformArgs({ os, architecture, variant = '' }: Platform): Record<string, string> {
  const name = [os, architecture, variant].filter(Boolean).join('/')
  const of = (prefix: string) => ({
    [`${prefix}PLATFORM`]: name,
    [`${prefix}OS`]: os,
    [`${prefix}ARCH`]: architecture,
    [`${prefix}VARIANT`]: variant,
  })
  return { ...of('TARGET'), ...of('BUILD') }
}

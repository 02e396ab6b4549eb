import { type Context, KiwiError } from '@kiwi/core'
import { recordOf } from '../evidence.js'
import { numberOf, type Shape, shapeOf, textOf } from '../shape.js'
import type { Api } from './api.js'
import { projectPath } from './place.js'

export interface HarborProject {
  readonly id: number
  readonly name: string
  readonly isPublic: boolean
  /** A cache of another registry, which takes no pushes. */
  readonly isProxyCache: boolean
  /** Of its retention policy, where it has one. */
  readonly retentionId?: number | undefined
}

export interface ProjectOptions {
  /** Everybody may pull without signing in. Default false. */
  readonly public?: boolean | undefined
  /** Harbor takes it from system administrators only, from others silently its own default. Default: Harbor's. */
  readonly storageLimitBytes?: number | undefined
}

export interface HarborQuota {
  /** `undefined`: unlimited. */
  readonly hardBytes: number | undefined
  readonly usedBytes: number
}

/** Whether a project of that name exists; anybody who is signed in may know. Rejects with `REGISTRY_UNAUTHORIZED` otherwise. */
export async function projectExists(api: Api, project: string, context: Context): Promise<boolean> {
  const doing = `look for the project ${project}`
  const query = { project_name: project }
  const { status } = await api.send({ method: 'HEAD', path: '/projects', query, expect: [200, 404], doing }, context)
  return status === 200
}

/** Rejects with `REGISTRY_DENIED` for one that this user may not read, and for one that is not there: Harbor answers alike. */
export async function readProject(api: Api, project: string, context: Context): Promise<HarborProject> {
  const doing = `read the project ${project}`
  return toProject(
    await api.json({ method: 'GET', path: projectPath(project), expect: [200], doing }, context),
    project,
  )
}

function toProject(value: unknown, name: string): HarborProject {
  const shape = shapeOf(value)
  const metadata = shapeOf(shape.metadata)
  const retentionId = Number(textOf(metadata, 'retention_id'))
  return {
    id: numberOf(shape, 'project_id') ?? 0,
    name: textOf(shape, 'name') ?? name,
    isPublic: textOf(metadata, 'public') === 'true',
    isProxyCache: (numberOf(shape, 'registry_id') ?? 0) > 0,
    ...(Number.isInteger(retentionId) && retentionId > 0 && { retentionId }),
  }
}

/** Answers whether it was made; false: somebody else had made it. Rejects with `REGISTRY_DENIED` where this user may not. */
export async function createProject(
  api: Api,
  project: string,
  options: ProjectOptions,
  context: Context,
): Promise<boolean> {
  const { storageLimitBytes } = options
  const body = {
    project_name: project,
    metadata: { public: options.public ? 'true' : 'false' },
    ...(storageLimitBytes !== undefined && { storage_limit: storageLimitBytes }),
  }
  const doing = `create the project ${project} on ${api.host}`
  try {
    const call = { method: 'POST', path: '/projects', body, expect: [201, 409], doing } as const
    return (await api.send(call, context)).status === 201
  } catch (error) {
    if (!KiwiError.is(error) || error.code !== 'REGISTRY_DENIED') throw error
    const { message, evidence } = error
    throw new KiwiError('REGISTRY_DENIED', message, {
      evidence: { ...recordOf(evidence), project },
      hint: createHint,
      cause: error,
    })
  }
}

const createHint =
  'Give a system-level robot the right project:create, or let users create projects (Configuration → System Settings → Project Creation), or create the project by hand.'

/** `undefined` where Harbor keeps no quotas, or does not tell this user. */
export async function readQuota(api: Api, project: string, context: Context): Promise<HarborQuota | undefined> {
  const doing = `read the quota of ${project}`
  const path = `${projectPath(project)}/summary`
  const { quota } = shapeOf(await api.json({ method: 'GET', path, expect: [200], doing }, context))
  const { hard, used } = shapeOf(quota)
  const hardBytes = storage(shapeOf(hard))
  const usedBytes = storage(shapeOf(used))
  if (hardBytes === undefined || usedBytes === undefined) return undefined
  return { hardBytes: hardBytes < 0 ? undefined : hardBytes, usedBytes }
}

function storage(resources: Shape): number | undefined {
  return numberOf(resources, 'storage')
}

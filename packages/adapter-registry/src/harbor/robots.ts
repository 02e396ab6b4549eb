import type { Context } from '@kiwi/core'
import { KiwiError } from '@kiwi/core'
import { numberOf, type Shape, shapeOf, textOf } from '../shape.js'
import type { Api } from './api.js'
import { readProject } from './projects.js'

/** What a robot may do in a project, in Kiwi's words. */
export type RobotRight = 'pull' | 'push' | 'list' | 'delete' | 'protect' | 'quota'

export interface NewRobot {
  /** Without prefix and project: `ci`. */
  readonly name: string
  readonly description?: string | undefined
  /** `project`: made with rights of that project's administrator, for it alone. `system`: for several. */
  readonly level: 'project' | 'system'
  /** Names of projects; exactly one for the level `project`. */
  readonly projects: readonly string[]
  readonly rights: readonly RobotRight[]
  /** Whether it may make projects; only for the level `system`. Default false. */
  readonly createsProjects?: boolean | undefined
  readonly expiresAfterDays: number | 'never'
}

export interface HarborRobot {
  readonly id: number
  /** To sign in with, `robot$team+ci`: in single quotes in a shell, which would take `$team` for a variable. */
  readonly username: string
  readonly level: string
  readonly description: string
  /** ISO 8601; `undefined`: never. */
  readonly expiresAt: string | undefined
  readonly isDisabled: boolean
}

/** `secret` is told this once. Put it where secrets are kept and never into a log: it is left out when the object is printed or made JSON. */
export interface RobotLogin {
  readonly id: number
  readonly username: string
  readonly expiresAt: string | undefined
  readonly secret: string
}

export interface HarborRobots {
  /** Rejects with `REGISTRY_DENIED` where this user may not. A robot needs the right itself, and gives no more than it has. */
  create(robot: NewRobot, context: Context): Promise<RobotLogin>
  /** Of one project, else those of the system. */
  list(options: { readonly project?: string | undefined }, context: Context): AsyncIterable<HarborRobot>
  /** Answers whether it was there. */
  remove(id: number, context: Context): Promise<boolean>
  /** Gives it another secret; the old one ends at once. */
  refresh(id: number, context: Context): Promise<RobotSecret>
}

/** As for `RobotLogin`. */
export interface RobotSecret {
  readonly secret: string
}

/** Harbor's words for each right (src/common/rbac/const.go, `PoliciesMap`). */
export const robotAccess: Readonly<Record<RobotRight, readonly string[]>> = {
  pull: ['repository:pull'],
  push: ['repository:push', 'repository:pull'],
  list: ['project:read', 'repository:list', 'artifact:list', 'artifact:read', 'tag:list'],
  delete: ['artifact:delete', 'tag:delete'],
  protect: [
    'project:read',
    'immutable-tag:list',
    'immutable-tag:create',
    'immutable-tag:update',
    'immutable-tag:delete',
    'tag-retention:read',
    'tag-retention:update',
    'tag:delete',
  ],
  quota: ['project:read', 'quota:read'],
}

export function robotsOf(api: Api): HarborRobots {
  return {
    async create(robot, context) {
      const body = requestOf(robot)
      const doing = `create the robot ${robot.name}`
      const made = shapeOf(await api.json({ method: 'POST', path: '/robots', body, expect: [201], doing }, context))
      const { id, username, expiresAt } = toRobot(made)
      return withSecret({ id, username, expiresAt }, made, doing)
    },
    list: (options, context) => listRobots(api, options.project, context),
    async remove(id, context) {
      const doing = `delete the robot ${id}`
      const { status } = await api.send({ method: 'DELETE', path: `/robots/${id}`, expect: [200, 404], doing }, context)
      return status === 200
    },
    async refresh(id, context) {
      const doing = `give the robot ${id} another secret`
      const call = { method: 'PATCH', path: `/robots/${id}`, body: {}, expect: [200], doing } as const
      return withSecret({}, shapeOf(await api.json(call, context)), doing)
    },
  }
}

function requestOf({ name, description = '', level, projects, rights, createsProjects, expiresAfterDays }: NewRobot) {
  const problem = problemOf({ name, level, projects, rights, createsProjects })
  if (problem !== undefined) throw new KiwiError('INPUT_INVALID', `the robot cannot be created: ${problem}`)
  const access = accessOf(rights.flatMap((right) => robotAccess[right]))
  const inProjects = projects.map((namespace) => ({ kind: 'project', namespace, access }))
  const inSystem = createsProjects ? [{ kind: 'system', namespace: '/', access: accessOf(['project:create']) }] : []
  const duration = expiresAfterDays === 'never' ? -1 : expiresAfterDays
  return { name, description, level, duration, disable: false, permissions: [...inProjects, ...inSystem] }
}

function problemOf({ name, level, projects, rights, createsProjects }: Omit<NewRobot, 'expiresAfterDays'>) {
  if (!/^[a-z0-9]+(?:[._-][a-z0-9]+)*$/.test(name))
    return 'its name has lower-case letters, digits and single . _ - between them'
  if (level === 'project' && projects.length !== 1) return 'one of the level project is of exactly one project'
  if (level === 'project' && createsProjects) return 'only one of the level system may make projects'
  if (projects.length > 0 && rights.length === 0) return 'it has no rights'
  if (projects.length === 0 && !createsProjects) return 'it is of no project'
  return undefined
}

function accessOf(rights: readonly string[]) {
  return [...new Set(rights)].map((right) => {
    const [resource = '', action = ''] = right.split(':')
    return { resource, action }
  })
}

async function* listRobots(api: Api, project: string | undefined, context: Context): AsyncGenerator<HarborRobot> {
  const doing = `list the robots ${project === undefined ? 'of the system' : `of ${project}`}`
  const level =
    project === undefined ? 'Level=system' : `Level=project,ProjectID=${(await readProject(api, project, context)).id}`
  for await (const one of api.list({ path: '/robots', query: { q: level }, doing }, context)) yield toRobot(one)
}

function toRobot(shape: Shape): HarborRobot {
  const expiresAt = numberOf(shape, 'expires_at') ?? -1
  return {
    id: numberOf(shape, 'id') ?? 0,
    username: textOf(shape, 'name') ?? '',
    level: textOf(shape, 'level') ?? '',
    description: textOf(shape, 'description') ?? '',
    expiresAt: expiresAt > 0 ? new Date(expiresAt * 1000).toISOString() : undefined,
    isDisabled: shape.disable === true,
  }
}

/** Not enumerable: whoever prints the answer prints no secret. */
function withSecret<T extends object>(told: T, answer: Shape, doing: string): T & RobotSecret {
  const secret = textOf(answer, 'secret')
  if (secret === undefined || secret === '')
    throw new KiwiError('REGISTRY_FAILED', `cannot ${doing}: the answer has no secret`, {
      effect: 'done',
      retryable: false,
    })
  return Object.defineProperty(told, 'secret', { value: secret, enumerable: false }) as T & RobotSecret
}

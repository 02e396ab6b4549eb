import { type Caller, errorBody, type FakeProject, isImmutable, may, type State } from './state.js'

export interface ApiRequest {
  readonly id: string
  readonly parameters: readonly string[]
  readonly query: URLSearchParams
  readonly body: Record<string, unknown>
  readonly caller: Caller | undefined
}

export interface ApiReply {
  readonly status: number
  readonly body?: unknown
}

const unauthorized: ApiReply = { status: 401, body: errorBody('UNAUTHORIZED', 'unauthorized') }
const forbidden: ApiReply = { status: 403, body: errorBody('FORBIDDEN', 'forbidden') }
const done: ApiReply = { status: 200 }

function notFound(what: string): ApiReply {
  return { status: 404, body: errorBody('NOT_FOUND', `${what} not found`) }
}

/** Each operation as its handler in Harbor's src/server/v2.0/handler does. */
export function answerApi(state: State, request: ApiRequest): ApiReply {
  const { id, parameters, query, body, caller } = request
  const [first = ''] = parameters
  if (id === 'getHealth') return { status: 200, body: { status: 'healthy', components: [] } }
  if (id === 'getSystemInfo') {
    const known = caller && { harbor_version: 'v2.16.0-fake', read_only: state.isReadOnly }
    return { status: 200, body: { auth_mode: 'db_auth', ...known } }
  }
  if (id.endsWith('Project') || id.startsWith('getProject') || id.startsWith('list')) {
    return answerProject(state, request)
  }
  if (!caller) return unauthorized
  if (id === 'getCurrentUserInfo') {
    if (caller.account.kind === 'robot')
      return {
        status: 412,
        body: errorBody('PRECONDITION', 'get current user not available for security context: robot'),
      }
    return { status: 200, body: { user_id: 3, username: caller.username, sysadmin_flag: false } }
  }
  if (id === 'deleteArtifact' || id === 'deleteTag') return removeFrom(state, request)
  if (id.endsWith('Robot') || id === 'RefreshSec') return answerRobot(state, request)
  if (id.endsWith('Retention')) {
    const retention = state.retentions.get(Number(first))
    const project = [...state.projects.values()].find(({ retentionId }) => retentionId === Number(first))
    if (!may(caller, project?.name ?? '', `tag-retention:${id === 'getRetention' ? 'read' : 'update'}`))
      return forbidden
    if (id === 'getRetention') return { status: 200, body: retention }
    state.retentions.set(Number(first), body)
    return done
  }
  return answerRule(state, request, query)
}

function answerProject(state: State, { id, parameters, query, body, caller }: ApiRequest): ApiReply {
  if (id === 'headProject' || id === 'createProject') {
    if (!caller) return unauthorized
    if (id === 'headProject') return state.projects.has(query.get('project_name') ?? '') ? done : notFound('project')
    const name = String(body.project_name)
    if (!may(caller, '', 'project:create')) return forbidden
    if (state.projects.has(name)) return { status: 409, body: errorBody('CONFLICT', 'conflict') }
    const limit = typeof body.storage_limit === 'number' ? body.storage_limit : -1
    const metadata = body.metadata as { readonly public?: string } | undefined // as our client sends it
    state.projects.set(name, projectOf(state.nextId++, name, { public: metadata?.public === 'true', hardBytes: limit }))
    return { status: 201 }
  }
  const [name = '', repository = ''] = parameters
  const project = state.projects.get(name)
  const right = { listRepositories: 'repository:list', listArtifacts: 'artifact:list' }[id] ?? 'project:read'
  if (!project || !(may(caller, name, right) || project.public)) return caller ? forbidden : unauthorized
  if (id === 'getProject') return { status: 200, body: describe(project) }
  if (id === 'getProjectSummary') {
    const quota = { hard: { storage: project.hardBytes }, used: { storage: project.usedBytes } }
    return { status: 200, body: { repo_count: 0, ...(may(caller, name, 'quota:read') && { quota }) } }
  }
  if (id === 'listRepositories') {
    const all = [...project.repositories].map(([own, artifacts]) => ({
      name: `${name}/${own}`,
      artifact_count: artifacts.size,
      pull_count: 0,
    }))
    return { status: 200, body: pageOf(all, query) }
  }
  const own = decodeURIComponent(repository) // the second time
  const artifacts = project.repositories.get(own)
  if (!artifacts) return notFound(`repository ${name}/${own}`)
  const all = [...artifacts.values()].map(({ digest, mediaType, size, tags }) => ({
    digest,
    manifest_media_type: mediaType,
    size,
    push_time: '2026-01-01T00:00:00.000Z',
    tags: tags.size === 0 ? null : [...tags].map((tag) => ({ name: tag, immutable: isImmutable(project, own, tag) })),
  }))
  return { status: 200, body: pageOf(all, query) }
}

export function projectOf(id: number, name: string, more: Partial<FakeProject> = {}): FakeProject {
  return { id, name, public: false, hardBytes: -1, usedBytes: 0, rules: [], repositories: new Map(), ...more }
}

function describe({ id, name, public: isPublic, registryId, retentionId }: FakeProject) {
  const metadata = { public: `${isPublic}`, ...(retentionId !== undefined && { retention_id: `${retentionId}` }) }
  return { project_id: id, name, metadata, ...(registryId !== undefined && { registry_id: registryId }) }
}

function pageOf(all: readonly unknown[], query: URLSearchParams): readonly unknown[] {
  const size = Number(query.get('page_size') ?? 10)
  const start = (Number(query.get('page') ?? 1) - 1) * size
  return all.slice(start, start + size)
}

function removeFrom(state: State, { id, parameters, caller }: ApiRequest): ApiReply {
  const [projectName = '', repository = '', reference = '', tag = ''] = parameters
  const name = decodeURIComponent(repository)
  const project = state.projects.get(projectName)
  if (!project || !may(caller, projectName, id === 'deleteTag' ? 'tag:delete' : 'artifact:delete')) return forbidden
  const artifacts = project.repositories.get(name)
  const found = [...(artifacts?.values() ?? [])].find(({ digest, tags }) => digest === reference || tags.has(reference))
  if (!found || (id === 'deleteTag' && !found.tags.has(tag)))
    return notFound(`artifact ${projectName}/${name}:${reference}`)
  const kept = (id === 'deleteTag' ? [tag] : [...found.tags]).find((one) => isImmutable(project, name, one))
  if (kept !== undefined) {
    const message = `the tag ${kept} configured as immutable, cannot be deleted`
    return { status: 412, body: errorBody('PRECONDITION', message) }
  }
  if (id === 'deleteTag') found.tags.delete(tag)
  else artifacts?.delete(found.digest)
  return done
}

function answerRobot(state: State, { id, parameters, query, body, caller }: ApiRequest): ApiReply {
  const [robotId = ''] = parameters
  if (id === 'CreateRobot') {
    const permissions = body.permissions as readonly { readonly kind: string; readonly namespace: string }[]
    const [{ namespace = '' } = {}] = permissions
    const scope = body.level === 'project' ? namespace : ''
    if (!may(caller, scope, 'robot:create')) return forbidden
    const newId = state.nextId++
    const name = body.level === 'project' ? `robot$${namespace}+${body.name}` : `robot$${body.name}`
    const expires = Number(body.duration) > 0 ? 1_800_000_000 : -1
    state.robots.set(newId, { id: newId, name, level: body.level, expires_at: expires, permissions, scope })
    return { status: 201, body: { id: newId, name, secret: `Secret0f${newId}`, expires_at: expires } }
  }
  if (id === 'ListRobot') {
    const [, projectId] = /^Level=project,ProjectID=(\d+)$/.exec(query.get('q') ?? '') ?? []
    const scope = [...state.projects.values()].find((project) => `${project.id}` === projectId)?.name ?? ''
    if (!may(caller, scope, 'robot:list')) return forbidden
    const all = [...state.robots.values()].filter((robot) => robot.scope === scope)
    return {
      status: 200,
      body: pageOf(
        all.map(({ scope: _, ...robot }) => robot),
        query,
      ),
    }
  }
  const robot = state.robots.get(Number(robotId))
  if (!robot) return notFound(`robot ${robotId}`)
  if (!may(caller, String(robot.scope), `robot:${id === 'DeleteRobot' ? 'delete' : 'update'}`)) return forbidden
  if (id === 'RefreshSec') return { status: 200, body: { secret: `Fresh0f${robotId}` } }
  state.robots.delete(Number(robotId))
  return done
}

function answerRule(state: State, { id, parameters, body, caller }: ApiRequest, query: URLSearchParams): ApiReply {
  const [name = '', ruleId = ''] = parameters
  const action = { ListImmuRules: 'list', CreateImmuRule: 'create', UpdateImmuRule: 'update' }[id] ?? 'delete'
  const project = state.projects.get(name)
  if (!project || !may(caller, name, `immutable-tag:${action}`)) return forbidden
  if (id === 'ListImmuRules') return { status: 200, body: pageOf(project.rules, query) }
  if (id === 'CreateImmuRule') {
    project.rules.push({ ...body, id: state.nextId++ })
    return { status: 201 }
  }
  const index = project.rules.findIndex((rule) => rule.id === Number(ruleId))
  const rule = project.rules[index]
  if (!rule) return notFound(`rule ${ruleId}`)
  if (id === 'DeleteImmuRule') project.rules.splice(index, 1)
  else if (rule.disabled !== body.disabled)
    rule.disabled = body.disabled // and nothing else, as Harbor does
  else project.rules[index] = body
  return done
}

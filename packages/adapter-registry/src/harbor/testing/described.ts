/**
 * What Harbor's published description (goharbor/harbor, api/v2.0/swagger.yaml, version 2.16.0, commit c50c7ddd) says of the operations that Kiwi
 * uses; taken over by hand. `request` and `answer`: the properties of the bodies, at the first level, `answer` of one item where it is a list.
 */
export interface Operation {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly statuses: readonly number[]
  readonly query?: readonly string[]
  readonly request?: readonly string[]
  readonly answer?: readonly string[]
}

const page = ['page', 'page_size']
const repository = '/projects/{project_name}/repositories/{repository_name}'
const rules = '/projects/{project_name_or_id}/immutabletagrules'
const rule = ['id', 'priority', 'disabled', 'action', 'template', 'params', 'tag_selectors', 'scope_selectors']
const policy = ['id', 'algorithm', 'rules', 'trigger', 'scope']

export const operations: readonly Operation[] = [
  {
    id: 'getHealth',
    method: 'GET',
    path: '/health',
    statuses: [200, 500],
    answer: ['status', 'components'],
  },
  {
    id: 'getSystemInfo',
    method: 'GET',
    path: '/systeminfo',
    statuses: [200, 500],
    answer: ['harbor_version', 'auth_mode', 'read_only', 'external_url', 'registry_url'],
  },
  {
    id: 'getCurrentUserInfo',
    method: 'GET',
    path: '/users/current',
    statuses: [200, 401, 412, 500],
    answer: ['user_id', 'username', 'sysadmin_flag'],
  },
  {
    id: 'headProject',
    method: 'HEAD',
    path: '/projects',
    // 401 is not described; the handler requires a sign-in (src/server/v2.0/handler/project.go, HeadProject)
    statuses: [200, 400, 401, 404, 500],
    query: ['project_name'],
  },
  {
    id: 'createProject',
    method: 'POST',
    path: '/projects',
    // 403 is not described; the handler answers it where only administrators may (project.go, CreateProject)
    statuses: [201, 400, 401, 403, 409, 500],
    request: ['project_name', 'public', 'metadata', 'cve_allowlist', 'storage_limit', 'registry_id'],
  },
  {
    id: 'getProject',
    method: 'GET',
    path: '/projects/{project_name_or_id}',
    statuses: [200, 401, 403, 404, 500],
    answer: ['project_id', 'name', 'registry_id', 'metadata', 'owner_name', 'repo_count'],
  },
  {
    id: 'getProjectSummary',
    method: 'GET',
    path: '/projects/{project_name_or_id}/summary',
    statuses: [200, 400, 401, 403, 404, 500],
    answer: ['repo_count', 'quota', 'registry'],
  },
  {
    id: 'listRepositories',
    method: 'GET',
    path: '/projects/{project_name}/repositories',
    statuses: [200, 400, 401, 403, 404, 422, 500],
    query: ['q', 'sort', ...page],
    answer: ['id', 'project_id', 'name', 'artifact_count', 'pull_count'],
  },
  {
    id: 'listArtifacts',
    method: 'GET',
    path: `${repository}/artifacts`,
    statuses: [200, 400, 401, 403, 404, 422, 500],
    query: ['q', 'sort', ...page, 'with_tag', 'with_immutable_status'],
    answer: ['id', 'digest', 'manifest_media_type', 'size', 'push_time', 'tags'],
  },
  {
    id: 'deleteArtifact',
    method: 'DELETE',
    path: `${repository}/artifacts/{reference}`,
    // 412 is not described; immutable tags answer it (src/controller/tag/controller.go, Delete)
    statuses: [200, 401, 403, 404, 412, 500],
  },
  {
    id: 'deleteTag',
    method: 'DELETE',
    path: `${repository}/artifacts/{reference}/tags/{tag_name}`,
    statuses: [200, 401, 403, 404, 412, 500],
  },
  {
    id: 'ListRobot',
    method: 'GET',
    path: '/robots',
    // 401 and 403 are not described; the handler answers them (src/server/v2.0/handler/robot.go, ListRobot)
    statuses: [200, 400, 401, 403, 404, 500],
    query: ['q', 'sort', ...page],
    answer: ['id', 'name', 'description', 'level', 'duration', 'disable', 'expires_at', 'permissions'],
  },
  {
    id: 'CreateRobot',
    method: 'POST',
    path: '/robots',
    statuses: [201, 400, 401, 403, 404, 500],
    request: ['name', 'description', 'secret', 'level', 'disable', 'duration', 'permissions'],
    answer: ['id', 'name', 'secret', 'creation_time', 'expires_at'],
  },
  {
    id: 'RefreshSec',
    method: 'PATCH',
    path: '/robots/{robot_id}',
    statuses: [200, 400, 401, 403, 404, 500],
    request: ['secret'],
    answer: ['secret'],
  },
  {
    id: 'DeleteRobot',
    method: 'DELETE',
    path: '/robots/{robot_id}',
    statuses: [200, 400, 401, 403, 404, 500],
  },
  {
    id: 'ListImmuRules',
    method: 'GET',
    path: rules,
    statuses: [200, 400, 401, 403, 500],
    query: ['q', 'sort', ...page],
    answer: rule,
  },
  {
    id: 'CreateImmuRule',
    method: 'POST',
    path: rules,
    statuses: [201, 400, 401, 403, 404, 500],
    request: rule,
  },
  {
    id: 'UpdateImmuRule',
    method: 'PUT',
    path: `${rules}/{immutable_rule_id}`,
    statuses: [200, 400, 401, 403, 404, 500],
    request: rule,
  },
  {
    id: 'DeleteImmuRule',
    method: 'DELETE',
    path: `${rules}/{immutable_rule_id}`,
    statuses: [200, 400, 401, 403, 404, 500],
  },
  {
    id: 'getRetention',
    method: 'GET',
    path: '/retentions/{id}',
    statuses: [200, 401, 403, 500],
    answer: policy,
  },
  {
    id: 'updateRetention',
    method: 'PUT',
    path: '/retentions/{id}',
    statuses: [200, 401, 403, 500],
    request: policy,
  },
]

export interface Exchange {
  readonly method: string
  readonly url: URL
  readonly request: unknown
  readonly status: number
  readonly answer: unknown
}

/** The operation's name and parameters; `undefined`: Harbor has no such operation. */
export function operationOf(
  method: string,
  pathname: string,
): { readonly operation: Operation; readonly parameters: readonly string[] } | undefined {
  const asked = pathname.replace(/^\/api\/v2\.0/, '').split('/')
  for (const operation of operations) {
    const parts = operation.path.split('/')
    if (operation.method !== method || parts.length !== asked.length) continue
    if (!parts.every((part, index) => part.startsWith('{') || part === asked[index])) continue
    const parameters = asked.filter((_, index) => parts[index]?.startsWith('{'))
    return { operation, parameters: parameters.map((one) => decodeURIComponent(one)) }
  }
  return undefined
}

/** What an exchange has that the description does not know. */
export function undescribed({ method, url, request, status, answer }: Exchange): readonly string[] {
  const found = operationOf(method, url.pathname)
  if (!found) return [`${method} ${url.pathname}`]
  const { id, statuses, query = [], request: known = [], answer: told = [] } = found.operation
  const names = (value: unknown) => Object.keys(typeof value === 'object' && value !== null ? value : {})
  const items = status >= 400 ? [] : [answer].flat()
  return [
    ...(statuses.includes(status) ? [] : [`${id}: status ${status}`]),
    ...[...url.searchParams.keys()].filter((name) => !query.includes(name)).map((name) => `${id}: query ${name}`),
    ...names(request)
      .filter((name) => !known.includes(name))
      .map((name) => `${id}: request ${name}`),
    ...items
      .flatMap(names)
      .filter((name) => !told.includes(name))
      .map((name) => `${id}: answer ${name}`),
  ]
}

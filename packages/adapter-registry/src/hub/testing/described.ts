/**
 * What Docker publishes of the operations that Kiwi uses, taken over by hand from docker/docs: its Hub API (content/reference/api/hub/latest.yaml,
 * version 2-beta, commit c065f800), its registry API (content/reference/api/registry/latest.yaml, commit 98196ca9) and, for the removal of tags,
 * which neither has, "Access token reference" (content/manuals/security/access-tokens/reference.md, commit 1800c789) and docker/hub-tool
 * (pkg/hub/tags.go, commit 6911e3c9). `answer`: properties at the first level, of one item where it is a list.
 */
interface Operation {
  readonly id: string
  readonly method: string
  readonly path: RegExp
  readonly statuses: readonly number[]
  readonly query?: readonly string[]
  readonly request?: readonly string[]
  readonly answer?: readonly string[]
}

const part = '[^/]+'
const namespaced = `/v2/namespaces/${part}/repositories/${part}`
const name = `/v2/${part}/${part}`

const hub: readonly Operation[] = [
  {
    id: 'AuthCreateAccessToken',
    method: 'POST',
    path: /^\/v2\/auth\/token$/,
    statuses: [200, 401],
    request: ['identifier', 'secret'],
    answer: ['access_token'],
  },
  {
    id: 'GetRepository',
    method: 'GET',
    path: new RegExp(`^${namespaced}$`),
    statuses: [200, 401, 403, 404, 500],
    answer: ['name', 'namespace', 'is_private', 'permissions', 'immutable_tags_settings'],
  },
  {
    id: 'ListRepositoryTags',
    method: 'GET',
    path: new RegExp(`^${namespaced}/tags$`),
    statuses: [200, 403, 404],
    query: ['page', 'page_size'],
    answer: ['count', 'next', 'previous', 'results'],
  },
  // "Tags: list, get, and delete" for organization access tokens; statuses are those of the operations beside it
  { id: 'delete tag', method: 'DELETE', path: new RegExp(`^${namespaced}/tags/${part}$`), statuses: [204, 403, 404] },
  // hub-tool takes any 2xx; its replies of 403 and 500 are quoted in docker/hub-feedback 2006 and 2398
  {
    id: 'DeleteTagURL',
    method: 'DELETE',
    path: new RegExp(`^/v2/repositories/${part}/${part}/tags/${part}/$`),
    statuses: [204, 401, 403, 404, 500],
  },
]

const registry: readonly Operation[] = [
  { id: 'GetImageManifest', method: 'GET', path: at('manifests'), statuses: [200, 401, 403, 404, 429] },
  { id: 'HeadImageManifest', method: 'HEAD', path: at('manifests'), statuses: [200, 401, 403, 404, 429] },
  { id: 'PutImageManifest', method: 'PUT', path: at('manifests'), statuses: [201, 400, 401, 403, 404, 405, 429] },
  // 500 is in its text
  { id: 'DeleteImageManifest', method: 'DELETE', path: at('manifests'), statuses: [202, 401, 403, 404, 405, 429, 500] },
  {
    id: 'InitiateBlobUpload',
    method: 'POST',
    path: new RegExp(`^${name}/blobs/uploads/$`),
    statuses: [201, 202, 401, 403, 404, 429],
    query: ['mount', 'from'],
  },
]

function at(kind: string): RegExp {
  return new RegExp(`^${name}/${kind}/${part}$`)
}

export interface Exchange {
  readonly host: string
  readonly method: string
  readonly url: URL
  readonly status: number
  readonly request?: unknown
  readonly answer?: unknown
}

/** What an exchange has that the descriptions do not know. Of the registry's API they describe a part; the rest is the OCI specification's. */
export function undescribed({ host, method, url, status, request, answer }: Exchange): readonly string[] {
  const isHub = host === 'hub.docker.com'
  const matches = (one: Operation) => one.method === method && one.path.test(url.pathname)
  const found = (isHub ? hub : registry).find(matches)
  if (!found) return isHub ? [`${method} ${url.pathname}`] : []
  const { id, statuses, query = [], request: known = [], answer: told = [] } = found
  const names = (value: unknown) => Object.keys(typeof value === 'object' && value !== null ? value : {})
  const strange = (what: string, all: readonly string[], some: readonly string[]) =>
    all.filter((one) => !some.includes(one)).map((one) => `${id}: ${what} ${one}`)
  return [
    ...(statuses.includes(status) ? [] : [`${id}: status ${status}`]),
    ...strange('query', [...url.searchParams.keys()], query),
    ...strange('request', names(request), known),
    ...(isHub && status < 400 ? strange('answer', names(answer), told) : []),
  ]
}

import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { testContext } from '@kiwi/core/testing'
import { forward } from '../../harbor/testing/fake-v2.js'
import { actionsOf, type EmbeddedImages, type HubState, tagsIn } from './state.js'

interface Registry {
  readonly state: HubState
  readonly images: EmbeddedImages
  readonly upstream: string
}

/** auth.docker.io: a token with what of the scopes is allowed, and no error where that is little (registry/auth.md). */
export async function giveToken(state: HubState, request: IncomingMessage, url: URL, response: ServerResponse) {
  const [, encoded = ''] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? []
  const [user = '', ...rest] = Buffer.from(encoded, 'base64').toString().split(':')
  if (encoded !== '' && state.accounts.get(user)?.secret !== rest.join(':'))
    return sendJson(response, 401, { details: 'incorrect username or password' })
  const scopes = url.searchParams.getAll('scope').map((scope) => scope.split(':'))
  const actions = scopes.map(([, full = '', asked = '']) => {
    const allowed = full === 'ratelimitpreview/test' ? ['pull'] : actionsOf(state, user, full)
    return [full, asked.split(',').filter((one) => allowed.includes(one))] as const
  })
  const token = randomUUID()
  state.tokens.set(token, { user, actions: new Map(actions) })
  sendJson(response, 200, { token, access_token: token, expires_in: 300, issued_at: new Date().toISOString() })
}

const needed: Readonly<Record<string, string>> = { GET: 'pull', HEAD: 'pull', DELETE: 'delete' }

/** registry-1.docker.io, in front of a real registry. */
export async function serveV2(registry: Registry, request: IncomingMessage, url: URL, response: ServerResponse) {
  const { state, images, upstream } = registry
  const { method = 'GET' } = request
  const [, full = '', kind = '', reference = ''] =
    /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|tags|referrers)\/(.*)$/.exec(url.pathname) ?? []
  const [, bearer = ''] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? []
  const token = state.tokens.get(bearer)
  const action = kind === 'blobs/uploads' ? 'push' : (needed[method] ?? 'push')
  if (!token || (full !== '' && !token.actions.get(full)?.includes(action))) {
    if (token && state.denies === 'denied')
      return sendJson(response, 403, errors('DENIED', 'requested access to the resource is denied'))
    const headers = { 'www-authenticate': challenge(full, action, token !== undefined) }
    return sendJson(response, 401, errors('UNAUTHORIZED', 'authentication required'), headers)
  }
  if (full === '') return sendJson(response, 200, {})
  if (kind === 'manifests' && action === 'pull') {
    const figures = count(state, method)
    for (const [name, value] of Object.entries(figures.headers)) response.setHeader(name, value)
    if (figures.isOver) return sendPlain(response, 429, overLimit)
    if (full === 'ratelimitpreview/test') return sendJson(response, 200, {})
  }
  if (kind === 'manifests' && method === 'DELETE') {
    const refused = await refuseDelete(state, images, full, reference)
    if (refused) return sendJson(response, refused.status, errors(refused.code, refused.message))
  }
  if (kind === 'blobs/uploads' && method === 'POST' && !state.repositories.has(full))
    state.repositories.set(full, { isPrivate: false, members: {} })
  await forward(upstream, request, response)
}

function challenge(full: string, action: string, insufficient: boolean): string {
  const scope = full === '' ? '' : `,scope="repository:${full}:${action === 'pull' ? 'pull' : `pull,${action}`}"`
  const error = insufficient ? ',error="insufficient_scope"' : ''
  return `Bearer realm="https://auth.docker.io/token",service="registry.docker.io"${scope}${error}`
}

const overLimit =
  'You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limits'

/** GET counts, HEAD does not (hub usage, "View pull rate and limit"). */
function count(state: HubState, method: string) {
  const { limit } = state
  if (limit === undefined) return { headers: {}, isOver: false }
  const isOver = method === 'GET' && state.pulls >= limit
  if (method === 'GET' && !isOver) state.pulls += 1
  const headers = {
    'ratelimit-limit': `${limit};w=21600`,
    'ratelimit-remaining': `${limit - state.pulls};w=21600`,
    'docker-ratelimit-source': '192.0.2.1',
  }
  return { headers, isOver }
}

async function refuseDelete(
  { deletesManifests, referredTo }: HubState,
  images: EmbeddedImages,
  repository: string,
  reference: string,
) {
  const unsupported = { status: 405, code: 'UNSUPPORTED', message: 'The operation is unsupported.' }
  if (deletesManifests === 'never' || !reference.includes(':')) return unsupported
  const tags = await tagsIn(images, repository, testContext())
  if ([...tags.values()].includes(reference))
    return { status: 403, code: 'DENIED', message: 'manifest is referenced by one or more tags' }
  if (referredTo.has(reference))
    return { status: 403, code: 'DENIED', message: 'manifest is referenced by one or more other manifests' }
  const isThere = await images.resolve({ repository, reference }, testContext())
  return isThere && deletesManifests === 'later'
    ? { status: 500, code: 'UNKNOWN', message: 'internal server error' }
    : undefined
}

function errors(code: string, message: string): unknown {
  return { errors: [{ code, message }] }
}

function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

function sendPlain(response: ServerResponse, status: number, body: string) {
  response.writeHead(status, { 'content-type': 'text/plain' })
  response.end(body)
}

import { createHash } from 'node:crypto'
import { request as ask, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import {
  callerOf,
  errorBody,
  type FakeArtifact,
  type FakeProject,
  isImmutable,
  may,
  type State,
  send,
  splitName,
} from './state.js'

/** `/v2/` as Harbor guards it (src/server/middleware/{v2auth,readonly,repoproxy,immutable,quota}), in front of a real registry. */
export async function serveV2(state: State, upstream: string, request: IncomingMessage, response: ServerResponse) {
  const { method = 'GET', url = '/' } = request
  const { pathname } = new URL(url, 'http://harbor.invalid')
  const [, full = '', kind = '', reference = ''] =
    /^\/v2\/(.+)\/(blobs|manifests|tags|referrers)\/(.+)$/.exec(pathname) ?? []
  const refuse = (message: string, challenge: string) =>
    send(response, 401, errorBody('UNAUTHORIZED', message), { 'www-authenticate': challenge })
  if (full === '') {
    if (callerOf(state, request)) return send(response, 200, {})
    return refuse('unauthorized', challengeOf(request))
  }
  const action = { GET: 'pull', HEAD: 'pull', DELETE: 'delete' }[method] ?? 'push'
  if (request.headers.authorization === undefined && action === 'pull')
    return refuse('authorize header needed to send HEAD to repository', challengeOf(request, full))
  const [projectName, name] = splitName(full)
  const project = state.projects.get(projectName)
  if (!project) return refuse(`project ${projectName} not found`, '')
  const isAllowed =
    may(callerOf(state, request), projectName, `repository:${action}`) || (project.public && action === 'pull')
  if (!isAllowed)
    return refuse(`unauthorized to access repository: ${full}, action: ${action}`, challengeOf(request, full))
  if (action !== 'pull' && state.isReadOnly)
    return send(response, 403, errorBody('DENIED', 'The system is in read only mode. Any modification is prohibited.'))
  if (action === 'push' && project.registryId !== undefined) return send(response, 403, errorBody('DENIED', 'denied'))
  if (kind === 'manifests' && method === 'DELETE' && !reference.includes(':'))
    return send(
      response,
      400,
      errorBody('UNSUPPORTED', `unsupported digest ${reference}: invalid checksum digest format`),
    )
  if (kind === 'manifests' && method === 'PUT')
    return putManifest(project, name, reference, upstream, request, response)
  if (kind === 'blobs' && method === 'PUT') return putBlob(project, upstream, request, response)
  if (kind === 'tags' || (kind === 'manifests' && action === 'pull')) {
    const artifacts = project.repositories.get(name)
    if (kind === 'tags' && artifacts) return send(response, 200, { name: full, tags: tagsOf(artifacts) })
    const isThere = artifacts?.has(reference) || (artifacts && tagsOf(artifacts).includes(reference))
    if (!isThere) return send(response, 404, errorBody('NOT_FOUND', `artifact ${full}:${reference} not found`))
  }
  return forward(upstream, request, response)
}

/** Harbor answers out of its own tables, not out of the registry behind it. */
function tagsOf(artifacts: ReadonlyMap<string, FakeArtifact>): readonly string[] {
  return [...artifacts.values()].flatMap(({ tags }) => [...tags]).sort()
}

function challengeOf(request: IncomingMessage, name?: string): string {
  if (request.headers.authorization !== undefined) return 'Basic realm="harbor"'
  const scope = name === undefined ? '' : `,scope="repository:${name}:pull"`
  return `Bearer realm="http://${request.headers.host}/service/token",service="harbor-registry"${scope}`
}

async function putManifest(
  project: FakeProject,
  name: string,
  reference: string,
  upstream: string,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const body = await buffer(request)
  const artifacts = project.repositories.get(name) ?? new Map()
  const isTag = !reference.includes(':')
  const isThere = [...artifacts.values()].some(({ tags }) => tags.has(reference))
  if (isTag && isThere && isImmutable(project, name, reference)) {
    const message = `Failed to process request due to '${name}:${reference}' configured as immutable.`
    return send(response, 412, errorBody('PRECONDITION', message))
  }
  const status = await forward(upstream, request, response, body)
  if (status !== 201) return
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`
  const mediaType = request.headers['content-type'] ?? ''
  const artifact = artifacts.get(digest) ?? { digest, mediaType, size: body.byteLength, tags: new Set() }
  if (isTag) for (const { tags } of artifacts.values()) tags.delete(reference)
  if (isTag) artifact.tags.add(reference)
  artifacts.set(digest, artifact)
  project.repositories.set(name, artifacts)
}

async function putBlob(project: FakeProject, upstream: string, request: IncomingMessage, response: ServerResponse) {
  const body = await buffer(request)
  const { hardBytes, usedBytes } = project
  if (hardBytes >= 0 && usedBytes + body.byteLength > hardBytes) {
    const words = `adding ${body.byteLength} B of storage resource, which when updated to current usage of ${usedBytes} B`
    return send(
      response,
      403,
      errorBody('DENIED', `${words} will exceed the configured upper limit of ${hardBytes} B.`),
    )
  }
  project.usedBytes += body.byteLength
  await forward(upstream, request, response, body)
}

/** Resolves with the status once the answer is on its way. */
export function forward(
  upstream: string,
  request: IncomingMessage,
  response: ServerResponse,
  body?: Uint8Array,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const { authorization: _, ...headers } = request.headers
  const options = {
    method: request.method,
    path: request.url,
    headers,
    host: '127.0.0.1',
    port: upstream.split(':')[1],
  }
  const asked = ask(options, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
    answer.once('end', () => resolve(answer.statusCode ?? 502))
  })
  asked.once('error', reject)
  if (body) asked.end(body)
  else request.pipe(asked)
  return promise
}

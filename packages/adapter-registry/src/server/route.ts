import type { IncomingHttpHeaders } from 'node:http'
import { isRepository } from '../names.js'
import type { Storage } from '../storage/index.js'
import { type Answer, json, refuse } from './answer.js'
import { answerBlob } from './blobs.js'
import { answerManifest } from './manifests.js'
import { answerReferrers } from './referrers.js'
import type { Rules } from './rules.js'
import { answerTags } from './tags.js'
import { answerUpload, startUpload } from './uploads.js'

/** One request, taken apart. `reference` is the last part of the path: a digest, a tag or an upload's id. */
export interface Asked {
  readonly storage: Storage
  readonly rules: Rules
  readonly method: string
  readonly repository: string
  readonly reference: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: AsyncIterable<Uint8Array>
  readonly signal: AbortSignal
}

type Handler = (asked: Asked) => Promise<Answer>

/** The end points of the OCI distribution specification ("Endpoints"). */
const routes: readonly (readonly [pattern: RegExp, handlers: Readonly<Record<string, Handler>>])[] = [
  [/^(.+)\/blobs\/uploads\/?()$/, { POST: startUpload }],
  [
    /^(.+)\/blobs\/uploads\/([^/]+)$/,
    { GET: answerUpload, PATCH: answerUpload, PUT: answerUpload, DELETE: answerUpload },
  ],
  [/^(.+)\/blobs\/([^/]+)$/, { GET: answerBlob, HEAD: answerBlob, DELETE: answerBlob }],
  [
    /^(.+)\/manifests\/([^/]+)$/,
    { GET: answerManifest, HEAD: answerManifest, PUT: answerManifest, DELETE: answerManifest },
  ],
  [/^(.+)\/tags\/(list)$/, { GET: answerTags, HEAD: answerTags }],
  [/^(.+)\/referrers\/([^/]+)$/, { GET: answerReferrers, HEAD: answerReferrers }],
]

export async function route(path: string, asked: Omit<Asked, 'repository' | 'reference'>): Promise<Answer> {
  if (path === '/v2' || path === '/v2/') return isRead(asked.method) ? json(200, {}) : notHere(['GET', 'HEAD'])
  const rest = path.startsWith('/v2/') ? decode(path.slice(4)) : ''
  for (const [pattern, handlers] of routes) {
    const [match, repository = '', reference = ''] = pattern.exec(rest) ?? []
    if (match === undefined) continue
    if (!isRepository(repository)) return refuse(400, 'NAME_INVALID', 'the repository name is not well-formed')
    const handler = handlers[asked.method]
    const isKept = asked.method === 'DELETE' && handler !== answerUpload && !asked.rules.deletes
    if (handler && !isKept) return handler({ ...asked, repository, reference })
    return notHere(Object.keys(handlers).filter((method) => asked.rules.deletes || method !== 'DELETE'))
  }
  return refuse(404, 'UNSUPPORTED', 'there is no such end point')
}

function notHere(methods: readonly string[]): Answer {
  const allow = methods.join(', ')
  return refuse(405, 'UNSUPPORTED', `what is possible here is ${allow}`, { headers: { allow } })
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return ''
  }
}

import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { testContext } from '@kiwi/core/testing'
import { actionsOf, type EmbeddedImages, type HubState, tagsIn } from './state.js'

interface Asked {
  readonly method: string
  readonly url: URL
  readonly body: { readonly identifier?: string; readonly secret?: string }
  readonly headers: IncomingHttpHeaders
}

interface Reply {
  readonly status: number
  readonly body?: unknown
}

/** hub.docker.com. */
export async function answerApi(
  { state, images }: { readonly state: HubState; readonly images: EmbeddedImages },
  asked: Asked,
): Promise<Reply> {
  const { method, url, headers } = asked
  const [, , group = '', ...rest] = url.pathname.split('/')
  if (group === 'auth') return signIn(state, asked)
  const user = state.tokens.get(headers.authorization?.replace('Bearer ', '') ?? '')?.user
  if (headers.authorization !== undefined && user === undefined)
    return { status: 401, body: { message: 'unauthorized' } }
  const isLegacy = group === 'repositories'
  const [namespace = '', name = '', kind, tag] = isLegacy ? rest : rest.toSpliced(1, 1)
  const full = `${namespace}/${name}`
  if (isLegacy && state.accounts.get(user ?? '')?.kind === 'organization')
    return { status: 403, body: { message: 'token issued from organization access token is not allowed' } }
  const repository = state.repositories.get(full)
  const actions = actionsOf(state, user ?? '', full)
  const isKnown = repository && (actions.includes('pull') || namespace === user || (user ?? '') in repository.members)
  if (!repository || !isKnown) return { status: 404, body: { message: 'object not found' } }
  if (kind === undefined) return { status: 200, body: describe(state, full, user ?? '') }
  if (method === 'DELETE') return removeTag({ state, images }, full, tag ?? '', user)
  const entries = [...(await tagsIn(images, full, testContext()))].map(([one, digest]) => ({
    name: one,
    images: [],
    ...(state.listsDigests && { digest }),
  }))
  return { status: 200, body: pageOf(entries, url) }
}

function signIn({ accounts, tokens }: HubState, { body: { identifier = '', secret } }: Asked): Reply {
  if (accounts.get(identifier)?.secret !== secret)
    return { status: 401, body: { detail: `Incorrect authentication credentials: ${secret}` } } // as a careless server
  const token = randomUUID()
  tokens.set(token, { user: identifier, actions: new Map() })
  return { status: 200, body: { access_token: token } }
}

/** What the user may do; what their access token may is not told. */
function describe({ repositories }: HubState, full: string, user: string) {
  const [namespace, name] = full.split('/')
  const { isPrivate = false, members = {} } = repositories.get(full) ?? {}
  const role = namespace === user ? 'admin' : members[user]
  const permissions = { read: true, write: role === 'write' || role === 'admin', admin: role === 'admin' }
  return { namespace, name, is_private: isPrivate, permissions }
}

async function removeTag(
  { state, images }: { readonly state: HubState; readonly images: EmbeddedImages },
  repository: string,
  reference: string,
  user: string | undefined,
): Promise<Reply> {
  if (user === undefined) return { status: 401, body: { message: 'unauthorized' } }
  if (state.keptTags.has(reference) || !actionsOf(state, user, repository).includes('delete'))
    return { status: 403, body: { detail: 'access denied: insufficient scope' } }
  const removed = await images.remove({ repository, reference }, testContext())
  return removed ? { status: 204 } : { status: 404, body: { message: 'tag not found' } }
}

function pageOf(entries: readonly unknown[], { searchParams }: URL) {
  const [page, size] = [Number(searchParams.get('page') ?? 1), Number(searchParams.get('page_size') ?? 10)]
  const results = entries.slice((page - 1) * size, page * size)
  const next = page * size < entries.length ? `https://hub.docker.com/?page=${page + 1}` : null
  return { count: entries.length, next, previous: null, results }
}

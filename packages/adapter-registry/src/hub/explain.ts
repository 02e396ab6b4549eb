import { type Context, type ErrorCode, KiwiError } from '@kiwi/core'
import { recordOf } from '../evidence.js'
import { shapeOf } from '../shape.js'
import { apiHost, type HubApi } from './api.js'
import { scopeHint } from './judge.js'
import { type HubPlace, placeOf } from './names.js'

export type Right = 'pull' | 'push' | 'delete'

/** Does the work; a refusal that Docker Hub words alike for several causes is looked into, and rejects with what it really is. */
export type Explain = <T>(repository: string, right: Right, context: Context, work: () => Promise<T>) => Promise<T>

export function explainWith(api: HubApi): Explain {
  return async (repository, right, context, work) => {
    try {
      return await work()
    } catch (error) {
      if (!KiwiError.is(error) || context.signal.aborted || isClear(error)) throw error
      throw (await lookInto(api, error, { repository, right }, context).catch(() => undefined)) ?? error
    }
  }
}

/** What its API says is clear, and what was looked into by now. */
function isClear({ code, evidence }: KiwiError): boolean {
  const { host, repository } = recordOf(evidence)
  return !['REGISTRY_DENIED', 'REGISTRY_UNAUTHORIZED'].includes(code) || host === apiHost || repository !== undefined
}

interface Wanted {
  readonly repository: string
  readonly right: Right
}

/** `undefined`: the error says all there is to say. */
async function lookInto(
  api: HubApi,
  error: KiwiError,
  { repository, right }: Wanted,
  context: Context,
): Promise<KiwiError | undefined> {
  const place = placeOf(repository)
  const user = await api.user(place.full, context)
  const say = restate(error, place, user)
  if (user !== undefined && error.code === 'REGISTRY_UNAUTHORIZED') return say(error.code, undefined, signInHint)
  const found = await look(api, place, context)
  if (user === undefined) {
    if (right !== 'pull' || found.state !== 'not found') return undefined
    return say('REGISTRY_UNAUTHORIZED', 'there is no public repository of that name: it is private, or there is none')
  }
  if (found.state === 'hidden')
    return say('REGISTRY_DENIED', `the repository is private, and ${user} has no right to it`, memberHint)
  if (found.state === 'there' && found.mayWrite)
    return say('REGISTRY_DENIED', `${user} may do it, but not with this access token`, scopeHint)
  if (found.state === 'there') return say('REGISTRY_DENIED', `the repository is there, and ${user} may only read it`)
  if (place.namespace === user)
    return say('REGISTRY_DENIED', `there is no such repository yet, and this access token may not make it`, scopeHint)
  const why = `the namespace ${place.namespace} is not ${user}'s, and no repository there is known to ${user} by that name: it is private, or there is none`
  return say('REGISTRY_DENIED', why, right === 'push' ? `${memberHint} ${namespaceHint}` : memberHint)
}

const signInHint =
  'With two-factor or single sign-on only access tokens are taken, no passwords. With an organization access token the user name is the organization’s. It may have expired or been switched off.'
const memberHint = 'Have an owner of the namespace give this user, or its team, the right.'
const namespaceHint = 'Or push to a namespace of your own.'

type Look =
  | { readonly state: 'there'; readonly mayWrite: boolean }
  /** It is there and not for this user. */
  | { readonly state: 'hidden' }
  /** Or private: Docker Hub does not tell which. */
  | { readonly state: 'not found' }

/** "GetRepository". */
async function look(api: HubApi, { namespace, name, full }: HubPlace, context: Context): Promise<Look> {
  const path = `/v2/namespaces/${namespace}/repositories/${name}`
  const doing = `look at ${full}`
  const call = { method: 'GET', path, repository: full, expect: [200, 403, 404], doing } as const
  const { status, body } = await api.send(call, context)
  if (status === 404) return { state: 'not found' }
  if (status === 403) return { state: 'hidden' }
  return { state: 'there', mayWrite: shapeOf(body.permissions).write === true }
}

function restate(error: KiwiError, { full }: HubPlace, user: string | undefined) {
  const [attempted] = /^cannot .*?: /.exec(error.message) ?? ['']
  return (code: ErrorCode, why?: string, hint?: string) =>
    new KiwiError(code, why === undefined ? error.message : `${attempted}${why}`, {
      effect: error.effect,
      hint,
      evidence: {
        ...recordOf(error.evidence),
        repository: full,
        ...(user !== undefined && { user }),
      },
      cause: error,
    })
}

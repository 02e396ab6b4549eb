import { type Context, KiwiError } from '@kiwi/core'
import { recordOf } from '../evidence.js'
import type { Api } from './api.js'
import { proxyHint } from './judge.js'
import { projectExists, readProject, readQuota } from './projects.js'

/** Does the work; a refusal that Harbor words alike for several causes is looked into, and rejects with what it really is. */
export type Explain = <T>(project: string, context: Context, work: () => Promise<T>) => Promise<T>

/** Who Harbor takes us for. */
export type Identity = 'anonymous' | 'refused' | 'user' | 'robot'

export function explainWith(api: Api): Explain {
  return async (project, context, work) => {
    try {
      return await work()
    } catch (error) {
      if (!KiwiError.is(error) || context.signal.aborted || isClear(error)) throw error
      throw (await lookInto(api, error, project, context).catch(() => undefined)) ?? error
    }
  }
}

const alike: ReadonlySet<string> = new Set([
  'REGISTRY_DENIED',
  'REGISTRY_PROJECT_MISSING',
  'REGISTRY_QUOTA_EXCEEDED',
  'REGISTRY_UNAUTHORIZED',
])

/** Harbor says what it means where it forbids by policy (412) or is set to read only; what names a project was looked into by now. */
function isClear({ code, evidence }: KiwiError): boolean {
  const { status, message, project } = recordOf(evidence)
  return !alike.has(code) || status === 412 || project !== undefined || /read.?only mode/i.test(`${message}`)
}

/** `undefined`: the error says all there is to say. */
async function lookInto(api: Api, error: KiwiError, project: string, context: Context): Promise<KiwiError | undefined> {
  const { host } = api
  if (error.code === 'REGISTRY_QUOTA_EXCEEDED') return withFigures(api, error, project, context)
  const identity = await identify(api, context)
  const say = restate(error, project, identity)
  if (identity === 'refused')
    return say('REGISTRY_UNAUTHORIZED', `${host} refuses the user name or the password`, refusedHint)
  if (identity === 'anonymous') return undefined
  if (!(await projectExists(api, project, context)))
    return say('REGISTRY_PROJECT_MISSING', `${host} does not have the project ${project}`)
  const found = await readProject(api, project, context).catch(() => undefined)
  if (found?.isProxyCache && error.message.startsWith('cannot push '))
    return say(
      'REGISTRY_DENIED',
      `the project ${project} is a cache of another registry and takes no pushes`,
      proxyHint,
    )
  return say(
    'REGISTRY_DENIED',
    `${host} knows the ${identity}, who lacks the right in the project ${project}`,
    rightHint,
  )
}

const refusedHint =
  'A robot’s user name has the prefix too (robot$team+ci, in single quotes in a shell), and its secret may have expired or been disabled.'
const rightHint =
  'Give the robot repository:push and repository:pull (and what else is wanted) in this project, or make the user a developer or maintainer there.'

/** `GET /users/current`: 401 for a wrong password; robots are known but told 412, since they are no users. */
export async function identify(api: Api, context: Context): Promise<Identity> {
  const doing = `ask ${api.host} who this is`
  const call = { method: 'GET', path: '/users/current', expect: [200, 401, 412], doing } as const
  const { status, signedIn } = await api.send(call, context)
  if (!signedIn) return 'anonymous'
  if (status === 401) return 'refused'
  return status === 412 ? 'robot' : 'user'
}

function restate(error: KiwiError, project: string, identity: Identity) {
  const [attempted] = /^cannot .*?: /.exec(error.message) ?? ['']
  return (code: 'REGISTRY_DENIED' | 'REGISTRY_PROJECT_MISSING' | 'REGISTRY_UNAUTHORIZED', why: string, hint?: string) =>
    new KiwiError(code, `${attempted}${why}`, {
      effect: error.effect,
      evidence: { ...recordOf(error.evidence), project, identity },
      hint,
      cause: error,
    })
}

async function withFigures(api: Api, error: KiwiError, project: string, context: Context): Promise<KiwiError> {
  const quota = await readQuota(api, project, context)
  const { code, message, effect } = error
  const { hardBytes, usedBytes } = quota ?? {}
  const figures = { ...(hardBytes !== undefined && { hardBytes }), ...(usedBytes !== undefined && { usedBytes }) }
  const evidence = { ...recordOf(error.evidence), project, ...figures }
  return new KiwiError(code, message, { effect, evidence, cause: error })
}

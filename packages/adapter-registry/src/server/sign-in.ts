import { createHash, timingSafeEqual } from 'node:crypto'
import { type Answer, refuse } from './answer.js'

export interface SignInOptions {
  /** User names and their passwords; or a function that says whether the two belong together. */
  readonly users: Readonly<Record<string, string>> | Verify
  /** Lets everybody pull. Default false. */
  readonly anonymousPull?: boolean | undefined
}

export type Verify = (username: string, password: string) => boolean | Promise<boolean>

export interface SignIn {
  /** Why the request is refused; `undefined`: it is not. */
  refusal(authorization: string | undefined, method: string, path: string): Promise<Answer | undefined>
}

/** HTTP basic authentication (RFC 7617). Without options everybody may do everything. */
export function signInOf(options: SignInOptions | undefined): SignIn {
  if (!options) return { refusal: async () => undefined }
  const { users, anonymousPull = false } = options
  const verify = typeof users === 'function' ? users : oneOf(users)
  return {
    async refusal(authorization, method, path) {
      const isRead = method === 'GET' || method === 'HEAD'
      // the ping is how clients learn that there is a sign-in at all
      if (authorization === undefined && anonymousPull && isRead && !isPing(path)) return undefined
      const given = parseBasic(authorization)
      if (given && (await verify(given.username, given.password))) return undefined
      const message = given ? 'user name or password is wrong' : 'sign in with user name and password'
      return refuse(401, 'UNAUTHORIZED', message, { headers: { 'www-authenticate': 'Basic realm="kiwi"' } })
    },
  }
}

/** Takes as long for a wrong name as for a wrong password. Keeps no password, only its digest. */
function oneOf(users: Readonly<Record<string, string>>): Verify {
  const known = new Map(Object.entries(users).map(([name, password]) => [name, digestOf(password)]))
  const nobody = digestOf('')
  return (username, password) => {
    const wanted = known.get(username)
    return timingSafeEqual(digestOf(password), wanted ?? nobody) && wanted !== undefined
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function isPing(path: string): boolean {
  return path === '/v2' || path === '/v2/'
}

function parseBasic(authorization = ''): { readonly username: string; readonly password: string } | undefined {
  const [, encoded] = /^basic +([A-Za-z0-9+/_=-]+)$/i.exec(authorization) ?? []
  if (encoded === undefined) return undefined
  const [, username, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString()) ?? []
  return username === undefined || password === undefined ? undefined : { username, password }
}
